import { useEffect, useState } from 'react';

import { ago, dateTime } from '@/lib/format';

/** The time now, in ms, which goes on by itself. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

export function Ago({ ms }: { ms: number }) {
  const now = useNow(30_000);
  return (
    <time dateTime={new Date(ms).toISOString()} title={dateTime(ms)}>
      {ago(ms, now)}
    </time>
  );
}
