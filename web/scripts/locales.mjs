// Fails when a language lacks a key that another one has, when the code asks for a key that none has, or when what a
// first visit loads says something that comes only with the rest of the words.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";

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
const known = (key) => every.has(key) || every.has(`${key}_one`);
const begins = (start) => [...every].some((key) => key.startsWith(start));
const sections = new Set([...every].map((key) => key.split(".", 1)[0]));

const file = (from, to) => {
  const path = to.startsWith("@/") ? join(root, to.slice(2)) : to.startsWith(".") ? join(dirname(from), to) : "";
  return [path, `${path}.ts`, `${path}.tsx`, join(path, "index.ts")].find(
    (one) => /\.tsx?$/.test(one) && existsSync(one),
  );
};

/** What a file says, what it asks for, and what is loaded with it before the rest of the words is. */
function read(path) {
  const found = { said: new Set(), asked: new Set(), labels: new Set(), loads: new Set() };
  const load = (to) => found.loads.add(file(path, to));
  const ask = (node) => {
    if (ts.isConditionalExpression(node)) for (const one of [node.whenTrue, node.whenFalse]) ask(one);
    else if (ts.isAsExpression(node)) ask(node.expression);
    else if (ts.isStringLiteralLike(node)) found.asked.add(node.text);
    else if (ts.isTemplateExpression(node) && !begins(node.head.text)) found.asked.add(node.head.text);
  };
  const label = (node) => {
    if (ts.isPropertyAssignment(node) && /^(label|group)$/.test(node.name.text) && ts.isStringLiteral(node.initializer))
      found.labels.add(node.initializer.text);
    node.forEachChild(label);
  };
  const visit = (node, told) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      const types = node.isTypeOnly || node.importClause?.isTypeOnly;
      if (node.moduleSpecifier && !types) load(node.moduleSpecifier.text);
      return;
    }
    if (ts.isTypeNode(node)) return;
    if (ts.isCallExpression(node)) {
      const [first] = node.arguments;
      const name = node.expression.name?.text ?? node.expression.text;
      // Who asks whether there is a word waits for none. What keys are for is said only by what comes with all words.
      if (name === "exists") return;
      if (name === "useShortcuts") return node.forEachChild(label);
      if (node.expression.kind === ts.SyntaxKind.ImportKeyword && !told && ts.isStringLiteral(first)) load(first.text);
      if (name === "t" && first) ask(first);
      node.forEachChild((child) => visit(child, told || name === "told"));
      return;
    }
    if (ts.isStringLiteralLike(node) && known(node.text)) found.said.add(node.text);
    if (ts.isTemplateExpression(node) && /^\w+\./.test(node.head.text) && begins(node.head.text))
      found.said.add(node.head.text);
    node.forEachChild((child) => visit(child, told));
  };
  visit(ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, false, ts.ScriptKind.TSX), false);
  found.loads.delete(undefined);
  return found;
}

const sources = readdirSync(root, { recursive: true })
  .filter((name) => /\.tsx?$/.test(name) && !name.includes("generated") && !name.endsWith(".test.ts"))
  .map((name) => join(root, name));
const each = new Map(sources.map((path) => [path, read(path)]));
for (const [path, { asked, labels }] of each)
  for (const key of [...asked, ...labels]) if (!known(key)) problems.push(`${relative(root, path)} asks for ${key}`);

const first = new Set(JSON.parse(readFileSync(new URL("../first-words.json", import.meta.url), "utf8")));
for (const section of first)
  if (!sections.has(section)) problems.push(`first-words.json names ${section}, which is nowhere`);
const spoken = new Set();
const early = new Set([join(root, "main.tsx")]);
for (const path of early) {
  const { said = [], asked = [], loads = [] } = each.get(path) ?? {};
  for (const to of loads) early.add(to);
  for (const key of [...said, ...asked]) {
    const [section] = key.split(".", 1);
    spoken.add(section);
    if (!first.has(section)) problems.push(`${relative(root, path)} says ${key} before it is loaded`);
  }
}
for (const section of first)
  if (!spoken.has(section)) problems.push(`first-words.json names ${section}, which no first page says`);

if (problems.length) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log(`${every.size} keys in ${Object.keys(languages).length} languages, ${early.size} files speak at first`);
