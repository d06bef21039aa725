import { expect, test } from 'vitest';

import { fromText, type Shared, toText } from '@/features/playground/share';

const SHARED: Shared = {
  columns: [{ endpoint: 'a', system: 'Sei kurz – 短く', params: { temperature: 0, stop: ['|'] } }],
  sync: { prompt: true, system: true, params: false },
  draft: 'Grüße 👋',
};

test('What is shared comes back as it was, and needs no escaping in a URL', () => {
  const text = toText(SHARED);
  expect(text).toMatch(/^[\w-]+$/);
  expect(fromText(text)).toEqual(SHARED);
});

test('A link of before, when the two were one, says it for both', () => {
  const old = { ...SHARED, sync: { prompt: true, settings: false } };
  expect(fromText(toText(old as unknown as Shared))?.sync).toEqual({ prompt: true, system: false, params: false });
});

test.each(['', '%%%', 'bm90IGpzb24', btoa('{"columns":[]}'), toText({ ...SHARED, columns: Array.from({ length: 5 }, () => ({ endpoint: 'a', system: '', params: {} })) })])(
  'A link that nobody shared (%s) is nothing',
  (text) => expect(fromText(text)).toBeNull(),
);
