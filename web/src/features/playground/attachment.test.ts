import { expect, test } from 'vitest';

import { fileAsPrompt } from '@/features/playground/attachment';

const file = (content: BlobPart, name = 'a.txt'): File => new File([content], name);

test('a file becomes text under its name, in a fence that it does not close itself', async () => {
  expect(await fileAsPrompt(file('a,b\n1,2\n', 'figures.csv'))).toBe('File figures.csv:\n\n```\na,b\n1,2\n```\n');
  expect(await fileAsPrompt(file('```\ncode\n```'))).toContain('\n````\n');
});

test.each([
  [file('x'.repeat(200_001)), 'larger than 200 kB'],
  [file(new Uint8Array([0xff, 0xfe, 0x00])), 'no text in UTF-8'],
  [file('a\0b'), 'is no text'],
])('what is no text of a fair size is refused (%#)', async (given, words) => {
  await expect(fileAsPrompt(given)).rejects.toThrow(words);
});
