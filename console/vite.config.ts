import { svelte } from "@sveltejs/vite-plugin-svelte";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig } from "vitest/config";

import { mockGateway } from "./dev/mock.ts";

/** Where `npm run dev` finds a running gateway. */
const gateway = process.env["GATEWAY"] ?? "http://127.0.0.1:8080";

export default defineConfig(({ mode }) => ({
  plugins: [
    svelte(),
    ...(mode === "test" ? [svelteTesting()] : []),
    ...(mode === "mock" ? [mockGateway()] : []),
  ],
  build: {
    outDir: "../gateway/pages",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    chunkSizeWarningLimit: 400,
  },
  server: { port: 5173, ...(mode === "mock" ? {} : { proxy: { "/api": gateway } }) },
  test: {
    environment: "jsdom",
    isolate: false,
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
  },
}));
