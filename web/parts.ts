// What is cut so that a page loads what it uses: the generated client, and the words of a language.
import { readFileSync } from "node:fs";
import type { Plugin } from "vite";
import first from "./first-words.json" with { type: "json" };

const INDEX = /\/src\/api\/generated\/index\.ts$/;
const SDK = /\/src\/api\/generated\/sdk\.gen\.ts$/;
const OPERATION = /\/src\/api\/generated\/operation\.(\w+)\.ts$/;

/** Each operation of the generated client is a module of its own, so that one which only a page asks for comes with that page. */
export function operations(): Plugin {
  const read = (path: string) => {
    const [head = "", ...rest] = readFileSync(path, "utf8").split(/^(?=export const )/m);
    return { head, each: rest.map((text) => ({ name: /^export const (\w+)/.exec(text)?.[1] ?? "", text })) };
  };
  return {
    name: "operations",
    enforce: "pre",
    resolveId: (source, importer) =>
      importer && SDK.test(importer) && source.startsWith("./operation.")
        ? `${importer.replace(/sdk\.gen\.ts$/, source.slice(2))}.ts`
        : undefined,
    load(id) {
      if (INDEX.test(id)) return { code: readFileSync(id, "utf8"), moduleSideEffects: false };
      if (SDK.test(id)) {
        const names = read(id).each.map(({ name }) => `export { ${name} } from "./operation.${name}";`);
        return { code: names.join("\n"), moduleSideEffects: false };
      }
      const wanted = OPERATION.exec(id)?.[1];
      if (!wanted) return;
      const sdk = id.replace(/operation\.\w+\.ts$/, "sdk.gen.ts");
      this.addWatchFile(sdk);
      const { head, each } = read(sdk);
      return { code: head + each.find(({ name }) => name === wanted)?.text, moduleSideEffects: false };
    },
  };
}

/** The words that the way in, the frame around every page and the list of chats need; all others come with what is opened then. */
const FIRST_WORDS = new Set(first);

/** `es.json?first` holds the words of the first pages, `es.json?rest` all others. */
export function words(): Plugin {
  return {
    name: "words",
    enforce: "pre",
    load(id) {
      const [path = "", part] = id.split("?");
      if (!path.endsWith(".json") || (part !== "first" && part !== "rest")) return;
      const all = Object.entries(JSON.parse(readFileSync(path, "utf8")));
      const taken = all.filter(([section]) => FIRST_WORDS.has(section) === (part === "first"));
      return { code: `export default ${JSON.stringify(Object.fromEntries(taken))}`, moduleType: "js" };
    },
  };
}
