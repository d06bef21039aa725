import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/** Prints what a browser loads before it shows the first page, and fails the build above the limit. */
export function firstLoad(limitKb: number): Plugin {
  return {
    name: 'openfm-first-load',
    apply: 'build',
    generateBundle(_options, bundle) {
      const sizes = new Map<string, number>();
      const add = (name: string): void => {
        const file = bundle[name];
        if (!file || sizes.has(name)) return;
        sizes.set(name, gzipSync(file.type === 'chunk' ? file.code : file.source).length);
        if (file.type === 'chunk') {
          file.imports.forEach(add);
          file.viteMetadata?.importedCss.forEach(add);
        }
      };
      for (const [name, file] of Object.entries(bundle)) if (file.type === 'chunk' && file.isEntry) add(name);
      const kb = [...sizes.values()].reduce((sum, size) => sum + size, 0) / 1000;
      for (const [name, size] of sizes) this.info(`first load: ${(size / 1000).toFixed(1).padStart(7)} kB  ${name}`);
      this.info(`first load: ${kb.toFixed(1).padStart(7)} kB compressed; at most ${String(limitKb)} kB`);
      if (kb > limitKb) this.error(`The first load is ${kb.toFixed(1)} kB compressed; at most ${String(limitKb)} are allowed.`);
    },
  };
}
