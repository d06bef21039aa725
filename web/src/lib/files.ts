/** Give the browser a file to save. */
export function download(name: string, content: string, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

const quoted = (value: unknown): string => {
  const text = typeof value === 'string' ? value : value === null || value === undefined ? '' : JSON.stringify(value);
  // A spreadsheet would run what begins like a formula.
  const safe = /^[=+@\t\r]|^-[^\d.]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

/** Rows as CSV (RFC 4180), in the order of `columns`. */
export function csv(columns: readonly string[], rows: readonly Record<string, unknown>[]): string {
  return [columns.map(quoted).join(','), ...rows.map((row) => columns.map((name) => quoted(row[name])).join(','))].join('\r\n') + '\r\n';
}
