import { Progress, Stack, Text } from '@mantine/core';
import { useEffect, useState } from 'react';

import { noted, type Sample, speed, timeLeft } from '@/features/models/rate';
import { bytes, duration } from '@/lib/format';
import { useNow } from '@/ui/time';

/** How far a transfer is, how fast, and until when. `words` say what is done while nothing is counted. */
export function Transfer({ at, words, label }: { at: { done: number; total: number } | null; words: string; label: string }) {
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const now = useNow(1_000);
  const done = at?.done;
  useEffect(() => {
    if (done !== undefined) setSamples((before) => noted(before, Date.now(), done));
  }, [done]);
  const perSecond = speed(samples, now);
  const left = at ? timeLeft(at.total, at.done, perSecond) : null;
  const percent = at ? (100 * at.done) / at.total : 100;
  return (
    <Stack gap={4}>
      <Progress value={percent} animated aria-label={label} {...(at ? {} : { 'aria-valuetext': words })} />
      <Text size="sm" c="dimmed" className="number">
        {at ? `${bytes(at.done)} of ${bytes(at.total)} (${Math.floor(percent)} %)` : words}
        {at && perSecond !== null && perSecond > 0 && `, ${bytes(perSecond)}/s`}
        {left !== null && left > 0 && `, about ${left < 60_000 ? `${Math.ceil(left / 1000)} s` : duration(left)} left`}
      </Text>
    </Stack>
  );
}
