/** How far an import has come: the server says "Fetching: 1,000 of 2,000 bytes." */
export function fetched(message: string): { done: number; total: number } | null {
  const found = /([\d,]+) of ([\d,]+) bytes/.exec(message);
  if (!found) return null;
  const [done = 0, total = 0] = found.slice(1).map((text) => Number(text.replaceAll(',', '')));
  return total > 0 ? { done, total } : null;
}
