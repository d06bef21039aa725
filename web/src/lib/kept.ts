/** What this browser remembers under a name, or null; a browser that may not remember anything is fine too. */
export const kept = (name: string): unknown => read(() => localStorage, name);
export const keep = (name: string, value: unknown): void => write(() => localStorage, name, JSON.stringify(value));

/** What this tab remembers until it is closed or its user signs out, or null. */
export const keptHere = (name: string): unknown => read(() => sessionStorage, name);

/** Remembers it in place of what was there; what is longer than `most` characters, or than the browser takes, is not kept. */
export function keepHere(name: string, value: unknown, most: number): void {
  const text = JSON.stringify(value);
  write(() => sessionStorage, name, 'null');
  if (text.length <= most) write(() => sessionStorage, name, text);
}

/** Signed out: the next one at this tab may be somebody else. */
export function forgetHere(): void {
  try {
    sessionStorage.clear();
  } catch {
    // forbidden: then nothing was kept
  }
}

/** A browser may refuse already to show its storage. */
type Store = () => Storage;

function read(store: Store, name: string): unknown {
  try {
    return JSON.parse(store().getItem(name) ?? 'null');
  } catch {
    return null;
  }
}

function write(store: Store, name: string, text: string): void {
  try {
    store().setItem(name, text);
  } catch {
    // full, or forbidden: it holds until the page is left
  }
}
