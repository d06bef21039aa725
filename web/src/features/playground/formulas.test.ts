import { expect, test } from 'vitest';

import { hasFormulas, withDollars } from '@/features/playground/formulas';

test.each([
  ['costs $5 or $6', false],
  ['so $$x^2$$', true],
  [String.raw`so \(x\)`, true],
  [String.raw`so \[x\]`, true],
])('formulas are seen by their marks: %j', (text, is) => expect(hasFormulas(text)).toBe(is));

test('LaTeX’s own marks become Markdown’s', () => {
  expect(withDollars(String.raw`so \(a_1\) and \(b\)`)).toBe('so $$a_1$$ and $$b$$');
  expect(withDollars(String.raw`so \[ a^2 \] is`)).toBe('so \n$$\na^2\n$$\n is');
});

test('code is code', () => {
  const code = '`\\(x\\)` and\n```tex\n\\[x\\]\n```\n';
  expect(withDollars(code)).toBe(code);
});
