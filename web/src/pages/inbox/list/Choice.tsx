import { useTranslation } from "react-i18next";
import { OneOf } from "@/shell/choose";

type Props = {
  label: string;
  data: { value: string; label: string }[];
  value: string | null;
  onChange: (value: string | null) => void;
};

export const named = (items: { id: string; name: string }[]) =>
  items.map((one) => ({ value: one.id, label: one.name }));

/** One of many that narrows what is shown, or any of them. */
export function Choice(props: Props) {
  const { t } = useTranslation();
  return <OneOf {...props} size="xs" placeholder={t("filter.any")} clearable comboboxProps={{ withinPortal: true }} />;
}
