import { useTranslation } from "react-i18next";
import { numbers } from "@/formats";

/** The decimals of a currency, as the browser knows them. */
export const decimals = (currency: string) => {
  try {
    return numbers("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    return 2;
  }
};

export const toMinor = (amount: number, currency: string) => Math.round(amount * 10 ** decimals(currency));
export const toMajor = (amount: number, currency: string) => amount / 10 ** decimals(currency);

/** Writes minor units of a currency in the user's language; whole amounts without decimals. */
export function useMoney() {
  const { i18n } = useTranslation();
  return (amount: number, currency: string) => {
    const major = toMajor(amount, currency);
    const digits = Number.isInteger(major) ? 0 : decimals(currency);
    try {
      return numbers(i18n.language, {
        style: "currency",
        currency,
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      }).format(major);
    } catch {
      return `${major} ${currency}`;
    }
  };
}
