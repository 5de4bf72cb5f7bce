import i18n, { type ResourceKey } from "i18next";
import LanguageDetector from "i18next-browser-languagedetector";
import { initReactI18next } from "react-i18next";

export const LANGUAGES = { es: "Español", pt: "Português", en: "English" } as const;

/** Only the language that is spoken is loaded: it is a good part of what a first visit waits for. */
const WORDS: Record<string, () => Promise<{ default: ResourceKey }>> = {
  es: () => import("./locales/es.json"),
  pt: () => import("./locales/pt.json"),
  en: () => import("./locales/en.json"),
};

/** Settles when there are words to show. */
export const spoken = i18n
  .use(LanguageDetector)
  .use(initReactI18next)
  .use({
    type: "backend",
    read: (language: string, _: string, done: (error: unknown, words: ResourceKey | boolean) => void) => {
      (WORDS[language] ?? WORDS.es)?.().then(
        (words) => done(null, words.default),
        (error) => done(error, false),
      );
    },
  })
  .init({
    supportedLngs: Object.keys(LANGUAGES),
    nonExplicitSupportedLngs: true,
    load: "languageOnly",
    // Every language has every word, so only a language that is none of them falls back.
    fallbackLng: (language?: string) => (language && language.slice(0, 2) in LANGUAGES ? [] : ["es"]),
    interpolation: { escapeValue: false },
    detection: {
      order: ["localStorage", "navigator"],
      lookupLocalStorage: "clarin.language",
      caches: ["localStorage"],
    },
  });

i18n.on("languageChanged", (language) => {
  document.documentElement.lang = language;
});

export default i18n;
