import { Box, SegmentedControl, Stack } from '@mantine/core';
import { useState } from 'react';

import { Copy } from '@/ui/copy';

/** Text as it is, with a button to copy it. */
export function Code({ text, label, height }: { text: string; label: string; height?: number | string }) {
  return (
    <Box className="code" pos="relative">
      {/* Scrolling regions take the focus, so that keys can scroll them. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0} role="region" aria-label={label} style={{ maxHeight: height ?? 420 }}>
        <code>{text}</code>
      </pre>
      <Box className="code-copy">
        <Copy value={text} label={`Copy ${label}`} />
      </Box>
    </Box>
  );
}

/** The same thing in several languages. */
export function CodeTabs({ samples, label }: { samples: Record<string, string>; label: string }) {
  const names = Object.keys(samples);
  const [chosen, choose] = useState(names[0] ?? '');
  const shown = samples[chosen] !== undefined ? chosen : (names[0] ?? '');
  return (
    <Stack gap="xs">
      <div className="scrolls">
        <SegmentedControl size="xs" data={names} value={shown} onChange={choose} aria-label={`Language of ${label}`} />
      </div>
      <Code text={samples[shown] ?? ''} label={`${shown} ${label}`} />
    </Stack>
  );
}
