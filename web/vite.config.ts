import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run dev` serves the panel with hot reload and sends everything else to a running `clarin up`.
const gateway = process.env.CLARIN_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  server: { port: 3000, proxy: { "/api": gateway, "/openapi.json": gateway, "/ws": { target: gateway, ws: true } } },
  build: { target: "es2022", sourcemap: false, assetsInlineLimit: 0 },
});
