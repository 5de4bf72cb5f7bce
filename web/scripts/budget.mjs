// Fails when what a first visit loads until the chats are there weighs more than is allowed: every script, as it travels.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const MOST_KB = 250;
const dist = new URL("../dist", import.meta.url).pathname;
const chunks = JSON.parse(readFileSync(join(dist, ".vite/manifest.json"), "utf8"));
const pages = ["index.html", "src/pages/login/LoginPage.tsx", "src/shell/Shell.tsx", "src/pages/inbox/InboxPage.tsx"];

/** What is loaded with *keys*: themselves and all that they import at once. */
function loaded(keys, seen = new Set()) {
  for (const key of keys) {
    if (seen.has(key)) continue;
    if (!chunks[key]) throw new Error(`${key} is no chunk of the build any more.`);
    seen.add(key);
    loaded(chunks[key].imports ?? [], seen);
  }
  return seen;
}
const weight = (key) => gzipSync(readFileSync(join(dist, chunks[key].file)), { level: 6 }).length / 1000;

for (const language of ["es", "pt", "en"]) {
  const each = [...loaded([...pages, `src/locales/${language}.json?first`])].map((key) => ({ key, kb: weight(key) }));
  const sum = each.reduce((before, { kb }) => before + kb, 0);
  if (sum <= MOST_KB) continue;
  const worst = each.sort((a, b) => b.kb - a.kb).slice(0, 12);
  console.error(
    `The first visit in ${language} loads ${sum.toFixed(1)} kB of script, ${MOST_KB} are allowed. The heaviest:`,
  );
  for (const { key, kb } of worst) console.error(`  ${kb.toFixed(1).padStart(6)} ${key}`);
  process.exitCode = 1;
}
