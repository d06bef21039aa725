import { expect, test } from 'vitest';

import { noted, type Sample, speed, timeLeft } from '@/features/models/rate';

const after = (...steps: [at: number, done: number][]): Sample[] => steps.reduce<Sample[]>((samples, [at, done]) => noted(samples, at, done), []);

test('no speed is claimed from one look, nor within the first second', () => {
  expect(speed(after([0, 500]), 0)).toBeNull();
  expect(speed(after([0, 0], [400, 500]), 400)).toBeNull();
});

test('the speed is what was done in the time', () => {
  expect(speed(after([0, 0], [1000, 100], [2000, 200]), 2000)).toBe(100);
});

test('a stall is seen: the speed falls although nothing new is told', () => {
  expect(speed(after([0, 0], [1000, 100]), 10_000)).toBe(10);
});

test('an old speed is forgotten', () => {
  const samples = after([0, 0], [1000, 1000], [20_000, 1000], [30_000, 1100], [34_000, 1200]);
  expect(speed(samples, 34_000)).toBeLessThan(20);
});

test('what begins anew has no speed yet', () => {
  expect(speed(after([0, 900], [2000, 10]), 2000)).toBeNull();
});

test('the time left follows, and is not said of what stands still', () => {
  expect(timeLeft(1000, 500, 100)).toBe(5000);
  expect(timeLeft(1000, 500, 0)).toBeNull();
});
