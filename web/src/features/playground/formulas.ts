const MARKS = /\$\$|\\\(|\\\[/;
const CODE = /(```[\s\S]*?(?:```|$)|`[^`\n]*`)/;

/** Whether a text seems to have formulas in it. */
export const hasFormulas = (text: string): boolean => MARKS.test(text);

/** Formulas as LaTeX marks them, \( \) and \[ \], in Markdown's marks; code stays as it is. */
export const withDollars = (text: string): string =>
  text
    .split(CODE)
    .map((part, index) => {
      if (index % 2 === 1) return part;
      const blocks = part.replace(/\\\[([\s\S]+?)\\\]/g, (_, inner: string) => `\n$$\n${inner.trim()}\n$$\n`);
      return blocks.replace(/\\\(([^\n]+?)\\\)/g, (_, inner: string) => `$$${inner}$$`);
    })
    .join('');
