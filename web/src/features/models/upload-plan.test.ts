import { expect, test } from 'vitest';

import { isModelName, objection, planned, suggestedName, totalBytes } from '@/features/models/upload-plan';

const file = (path: string, size = 1) => ({ name: path.split('/').at(-1) ?? '', size, webkitRelativePath: path });

test('a folder is sent without its own name and without hidden files', () => {
  const plan = planned([file('m/weights/a.safetensors'), file('m/.git/config'), file('m/config.json'), file('m/.DS_Store')]);
  expect(plan.map(({ path }) => path)).toEqual(['config.json', 'weights/a.safetensors']);
});

test('single files keep their names', () => {
  const plan = planned([{ name: 'model.gguf', size: 7, webkitRelativePath: '' }]);
  expect(plan.map(({ path }) => path)).toEqual(['model.gguf']);
  expect(totalBytes(plan)).toBe(7);
});

test('a folder without weights is told before it is sent', () => {
  expect(objection(planned([file('m/readme.md')]))).toContain('weights');
  expect(objection([])).toContain('no file');
  expect(objection(planned([file('m/Model.GGUF')]))).toBeNull();
});

test('names are suggested from sources', () => {
  expect(suggestedName('hf://HuggingFaceTB/SmolLM2-360M-Instruct-GGUF@main')).toBe('smollm2_360m_instruct_gguf');
  expect(suggestedName('https://huggingface.co/org/My.Model/')).toBe('my_model');
  expect(suggestedName('SmolLM2-135M.Q4_1.gguf')).toBe('smollm2_135m_q4_1');
});

test('a model has three names', () => {
  expect(isModelName('main.default.model')).toBe(true);
  for (const name of ['model', 'main.default.', 'a.b.c.d', 'a b.c.d']) expect(isModelName(name)).toBe(false);
});
