// Fails when a language lacks a key that another one has, or when the code asks for a key that none has.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const root = new URL("../src", import.meta.url).pathname;
const flat = (tree, path = "") =>
  Object.entries(tree).flatMap(([key, value]) =>
    typeof value === "object" ? flat(value, `${path}${key}.`) : [`${path}${key}`],
  );
const languages = Object.fromEntries(
  readdirSync(join(root, "locales")).map((file) => [
    file.replace(".json", ""),
    new Set(flat(JSON.parse(readFileSync(join(root, "locales", file), "utf8")))),
  ]),
);
const every = new Set(Object.values(languages).flatMap((keys) => [...keys]));
const problems = Object.entries(languages).flatMap(([name, keys]) =>
  [...every].filter((key) => !keys.has(key)).map((key) => `${name} lacks ${key}`),
);
const sources = (folder) =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory()
      ? name === "generated"
        ? []
        : sources(path)
      : /\.tsx?$/.test(name)
        ? [path]
        : [];
  });
for (const path of sources(root)) {
  for (const [, key] of readFileSync(path, "utf8").matchAll(/\bt\("([\w.-]+)"/g)) {
    if (!every.has(key) && !every.has(`${key}_one`)) problems.push(`${path.slice(root.length + 1)} asks for ${key}`);
  }
}
if (problems.length) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log(`${every.size} keys in ${Object.keys(languages).length} languages`);
