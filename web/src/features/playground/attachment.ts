const LONGEST_BYTES = 200_000;

/** A file as a part of a prompt: its name, and its text in a fence that nothing in it closes. Throws an `Error` for what is no text. */
export async function fileAsPrompt(file: File): Promise<string> {
  if (file.size > LONGEST_BYTES) throw new Error(`${file.name} is larger than 200 kB. Choose a smaller file, or paste the part that matters.`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name} is no text in UTF-8. Text, code, CSV, JSON and Markdown can be attached.`);
  }
  if (text.includes('\0')) throw new Error(`${file.name} is no text. Text, code, CSV, JSON and Markdown can be attached.`);
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `File ${file.name}:\n\n${fence}\n${text.replace(/\n$/, '')}\n${fence}\n`;
}
