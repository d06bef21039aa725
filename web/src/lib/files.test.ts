import { expect, test } from 'vitest';

import { csv } from '@/lib/files';

test('Text with commas, quotes and lines stays one field', () => {
  expect(csv(['a'], [{ a: 'x, "y"\nz' }])).toBe('a\r\n"x, ""y""\nz"\r\n');
});

test('What a spreadsheet would run is made text; a negative number is a number', () => {
  expect(csv(['a'], [{ a: '=HYPERLINK("x")' }, { a: '-1.5' }, { a: '@x' }])).toBe('a\r\n"\'=HYPERLINK(""x"")"\r\n-1.5\r\n\'@x\r\n');
});

test('What is missing is empty, and objects are JSON', () => {
  expect(csv(['a', 'b'], [{ a: null, b: { k: 1 } }])).toBe('a,b\r\n,"{""k"":1}"\r\n');
});
