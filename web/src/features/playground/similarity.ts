/** The cosine of the angle between two vectors: 1 for the same direction, 0 where one is nothing. */
export function cosine(one: readonly number[], other: readonly number[]): number {
  let [product, left, right] = [0, 0, 0];
  for (const [at, value] of one.entries()) {
    const beside = other[at] ?? 0;
    product += value * beside;
    left += value * value;
    right += beside * beside;
  }
  return left === 0 || right === 0 ? 0 : product / Math.sqrt(left * right);
}

/** Each vector against each. */
export const grid = (vectors: readonly (readonly number[])[]): number[][] => vectors.map((one) => vectors.map((other) => cosine(one, other)));

export const MOST_TEXTS = 16;

/** Texts one a line, without those that are empty. */
export const textsOf = (lines: string): string[] => lines.split('\n').map((line) => line.trim()).filter(Boolean);
