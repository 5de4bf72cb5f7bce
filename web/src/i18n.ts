import i18n from "i18next";
import LanguageDetector from "i18next-browser-languagedetector";
import { initReactI18next } from "react-i18next";

export const LANGUAGES = { es: "Español", pt: "Português", en: "English" } as const;

type Words = () => Promise<{ default: Record<string, object> }>;

/** Only the language that is spoken is loaded, and of that what the first pages say: it is a good part of what a first visit waits for. */
const WORDS: Record<string, { first: Words; rest: Words }> = {
  es: { first: () => import("./locales/es.json?first"), rest: () => import("./locales/es.json?rest") },
  pt: { first: () => import("./locales/pt.json?first"), rest: () => import("./locales/pt.json?rest") },
  en: { first: () => import("./locales/en.json?first"), rest: () => import("./locales/en.json?rest") },
};

let all = false;

async function wordsOf(language: string): Promise<Record<string, object>> {
  const { first, rest } = (WORDS[language] ?? WORDS.es) as (typeof WORDS)[string];
  const parts = await Promise.all([first(), all ? rest() : { default: {} }]);
  return { ...parts[0].default, ...parts[1].default };
}

async function add(language: string): Promise<void> {
  const short = language.slice(0, 2);
  if (i18n.exists("settings.account", { lng: short })) return;
  i18n.addResourceBundle(short, "translation", await wordsOf(short), true, true);
}

/** What *load* gives, once every word of it can be said: around whatever is loaded after the first pages. */
export const told =
  <T>(load: () => Promise<T>) =>
  async (): Promise<T> => {
    all = true;
    const [loaded] = await Promise.all([load(), spoken.then(() => add(i18n.resolvedLanguage ?? i18n.language))]);
    return loaded;
  };

/** Settles when there are words to show. */
export const spoken = i18n
  .use(LanguageDetector)
  .use(initReactI18next)
  .use({
    type: "backend",
    read: (language: string, _: string, done: (error: unknown, words: Record<string, object> | boolean) => void) => {
      wordsOf(language).then(
        (words) => done(null, words),
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
    react: { bindI18nStore: "added" },
    detection: {
      order: ["localStorage", "navigator"],
      lookupLocalStorage: "clarin.language",
      caches: ["localStorage"],
    },
  });

i18n.on("languageChanged", (language) => {
  document.documentElement.lang = language;
  if (all) void add(language);
});

export default i18n;
