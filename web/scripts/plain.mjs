// The generated client without links to package registries; run by itself, it rewrites src/api/generated.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const plain = (text) => text.replace(/\{@link https:\/\/www\.npm\S+ (`[^`]+`)\}/g, "$1");

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const folder = join(new URL("..", import.meta.url).pathname, "src/api/generated");
  for (const name of readdirSync(folder, { recursive: true }).filter((path) => path.endsWith(".ts"))) {
    const path = join(folder, name);
    const text = readFileSync(path, "utf8");
    if (plain(text) !== text) writeFileSync(path, plain(text));
  }
}
