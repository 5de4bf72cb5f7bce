import { SegmentedControl, Select, useMantineColorScheme } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { LANGUAGES } from "@/i18n";

/** Light, dark, or as the system has it. */
export function ThemeChoice() {
  const { t } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <SegmentedControl
      fullWidth
      size="xs"
      aria-label={t("nav.theme")}
      value={colorScheme}
      onChange={(value) => setColorScheme(value as typeof colorScheme)}
      data={[
        { value: "light", label: t("nav.light") },
        { value: "dark", label: t("nav.dark") },
        { value: "auto", label: t("nav.auto") },
      ]}
    />
  );
}

export function LanguageChoice() {
  const { t, i18n } = useTranslation();
  return (
    <Select
      label={t("nav.language")}
      data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
      value={i18n.language.slice(0, 2)}
      allowDeselect={false}
      onChange={(language) => language && void i18n.changeLanguage(language)}
    />
  );
}
