/** Something that the palette leads to. */
export type Entry = { key: string; label: string; kind: string; run: () => void };

/** How well words fit a label: all of them are in it, the better the earlier; null where one is not. */
function distance(label: string, words: readonly string[]): number | null {
  const text = label.toLowerCase();
  let sum = 0;
  for (const word of words) {
    const at = text.indexOf(word);
    if (at < 0) return null;
    const isStart = at === 0 || /[^a-z0-9]/.test(text[at - 1] ?? '');
    sum += at + (isStart ? 0 : 100);
  }
  return sum;
}

/** The entries that what was typed may mean, the likeliest first; without words, all in their order. */
export function fitting(entries: readonly Entry[], typed: string, most = 12): Entry[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const found = entries.flatMap((entry) => {
    const far = distance(`${entry.label} ${entry.kind}`, words);
    return far === null ? [] : [{ entry, far }];
  });
  return found
    .sort((one, other) => one.far - other.far)
    .slice(0, most)
    .map(({ entry }) => entry);
}
