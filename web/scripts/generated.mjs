// Fails when src/api/generated is not what openapi.json gives.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plain } from "./plain.mjs";

const root = new URL("..", import.meta.url).pathname;
const fresh = mkdtempSync(join(tmpdir(), "clarin-client-"));
const files = (folder) =>
  readdirSync(folder)
    .sort()
    .flatMap((name) => (statSync(join(folder, name)).isDirectory() ? files(join(folder, name)) : [join(folder, name)]));
const read = (folder) => files(folder).map((path) => [path.slice(folder.length), plain(readFileSync(path, "utf8"))]);
try {
  execFileSync(join(root, "node_modules/.bin/openapi-ts"), ["--silent", "--output", fresh], {
    cwd: root,
    stdio: "inherit",
  });
  if (JSON.stringify(read(fresh)) !== JSON.stringify(read(join(root, "src/api/generated")))) {
    console.error("web/src/api/generated is stale: run `make generate`.");
    process.exitCode = 1;
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
