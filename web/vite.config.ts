import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { operations, words } from "./parts.ts";

// `npm run dev` serves the panel with hot reload and sends everything else to a running `clarin up`.
const gateway = process.env.CLARIN_URL ?? "http://127.0.0.1:8080";

const BASE =
  /node_modules\/(react|react-dom|scheduler|i18next[^/]*|react-i18next|use-sync-external-store|@tanstack\/[^/]+|@mantine\/core\/esm\/core|@mantine\/store)\//;

export default defineConfig({
  plugins: [operations(), words(), react()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  server: { port: 3000, proxy: { "/api": gateway, "/openapi.json": gateway, "/ws": { target: gateway, ws: true } } },
  build: {
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    manifest: true,
    // What every page stands on is one file: many small ones are heavier, each being packed by itself.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "base", test: BASE }] } } },
  },
});
