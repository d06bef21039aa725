/// <reference types="vitest/config" />
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

import { compressed } from './build/compressed.ts';
import { firstLoad } from './build/first-load.ts';

const FIRST_LOAD_LIMIT_KB = 400;

export default defineConfig({
  base: './', // the server writes <base>: one build works under any path
  plugins: [react(), firstLoad(FIRST_LOAD_LIMIT_KB), compressed()],
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  build: {
    target: 'es2023',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // data: URLs would need room in the Content-Security-Policy
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2000,
    license: { fileName: 'licenses.txt' },
  },
  server: { proxy: { '^/(api|v1|ui/session|serving-endpoints|health|oidc)': 'http://127.0.0.1:8080' } },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'], setupFiles: ['./build/test-setup.ts'] },
});
