import { useComputedColorScheme } from "@mantine/core";
import en from "emoji-picker-element/i18n/en";
import es from "emoji-picker-element/i18n/es";
import pt from "emoji-picker-element/i18n/pt_BR";
import Picker from "emoji-picker-element/picker";
import enData from "emoji-picker-element-data/en/cldr/data.json?url";
import esData from "emoji-picker-element-data/es/cldr/data.json?url";
import ptData from "emoji-picker-element-data/pt/cldr/data.json?url";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";

const WORDS = { en: [en, enData], es: [es, esData], pt: [pt, ptData] } as const;

export default function EmojiPicker({ onPick }: { onPick: (emoji: string) => void }) {
  const { i18n } = useTranslation();
  const scheme = useComputedColorScheme();
  const place = useRef<HTMLDivElement>(null);
  const pick = useRef(onPick);
  pick.current = onPick;
  const language = i18n.language.slice(0, 2) as keyof typeof WORDS;
  useEffect(() => {
    const [words, dataSource] = WORDS[language] ?? WORDS.es;
    const picker = new Picker({ i18n: words, dataSource, locale: language });
    picker.className = scheme;
    picker.style.cssText = "width: min(340px, 88vw); height: 340px; --border-size: 0; --background: transparent;";
    picker.addEventListener("emoji-click", (event) => {
      const { unicode } = event.detail;
      if (unicode) pick.current(unicode);
    });
    place.current?.append(picker);
    return () => picker.remove();
  }, [language, scheme]);
  return <div ref={place} />;
}
