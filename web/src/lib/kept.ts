/** What this browser remembers under a name, or null; a browser that may not remember anything is fine too. */
export function kept(name: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(name) ?? 'null');
  } catch {
    return null;
  }
}

export function keep(name: string, value: unknown): void {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // full, or forbidden: it holds until the page is left
  }
}
