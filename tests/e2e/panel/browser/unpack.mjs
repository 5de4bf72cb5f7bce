// Unpacks the Chromium that the package carries, with the libraries and fonts that a bare machine lacks, beside this
// file, and says where it is and what it needs.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "unpacked");
mkdirSync(folder, { recursive: true });
process.env.TMPDIR = folder;
process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs22.x"; // its libraries come out only where it believes to be there
const { default: chromium } = await import("@sparticuz/chromium");
const path = await chromium.executablePath();
// The fonts.conf that comes with it looks for its fonts in another place.
const fonts = join(folder, "fonts.conf");
writeFileSync(
  fonts,
  `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${join(folder, "fonts")}</dir><dir>/usr/share/fonts</dir><cachedir>${join(folder, "cache")}</cachedir></fontconfig>`,
);
console.log(
  JSON.stringify({ path, environment: { LD_LIBRARY_PATH: join(folder, "al2023", "lib"), FONTCONFIG_FILE: fonts } }),
);
