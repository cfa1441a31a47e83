import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** The page that draws dashboards for the documentation (`scripts/dashboard_pictures.py`); not the product. */
export default defineConfig({
  root: "dev/pictures",
  base: "./",
  plugins: [svelte()],
  build: { target: "es2022", emptyOutDir: true, chunkSizeWarningLimit: 400 },
});
