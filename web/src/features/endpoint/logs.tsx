import { Button, Group, SegmentedControl, Select, Stack, Switch, TextInput } from '@mantine/core';
import { IconDownload, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';

import { type Endpoint, entityLogQuery } from '@/api/endpoints';
import { download } from '@/lib/files';
import { inert } from '@/lib/inert';
import { Empty, Loaded } from '@/ui/feedback';

const SHOWN_LINES = 2_000;

/** What the engines wrote, as it comes. */
export function Logs({ endpoint }: { endpoint: Endpoint }) {
  const names = [...new Set([endpoint.pending_config, endpoint.config].flatMap((one) => one?.served_entities.map((entity) => entity.name) ?? []))];
  const [chosen, choose] = useState(names[0] ?? '');
  const [kind, setKind] = useState<'logs' | 'build-logs'>('logs');
  const [words, setWords] = useState('');
  const [follows, setFollows] = useState(true);
  const served = names.includes(chosen) ? chosen : (names[0] ?? '');
  const query = useQuery({ ...entityLogQuery(endpoint.name, served, kind), enabled: served !== '' });
  return (
    <Stack>
      <Group align="flex-end">
        {names.length > 1 && <Select label="Served entity" data={names} value={served} onChange={(name) => choose(name ?? '')} allowDeselect={false} />}
        <SegmentedControl
          aria-label="Which log"
          value={kind}
          onChange={(value) => setKind(value === 'logs' ? 'logs' : 'build-logs')}
          data={[
            { value: 'logs', label: 'Service log' },
            { value: 'build-logs', label: 'Build log' },
          ]}
        />
        <TextInput label="Search" leftSection={<IconSearch size={16} aria-hidden />} value={words} onChange={(event) => setWords(event.currentTarget.value)} />
        <Switch label="Follow" checked={follows} onChange={(event) => setFollows(event.currentTarget.checked)} pb={8} />
        <Button
          variant="default"
          leftSection={<IconDownload size={16} aria-hidden />}
          disabled={!query.data}
          onClick={() => download(`${endpoint.name}-${served}-${kind}.txt`, query.data ?? '', 'text/plain')}
        >
          Download
        </Button>
      </Group>
      <Loaded query={query}>{(text) => <LogText text={text} words={words} follows={follows} />}</Loaded>
    </Stack>
  );
}

function LogText({ text, words, follows }: { text: string; words: string; follows: boolean }) {
  const box = useRef<HTMLPreElement>(null);
  const shown = useMemo(() => {
    const wanted = words.toLowerCase();
    const lines = text.split('\n').filter((line) => wanted === '' || line.toLowerCase().includes(wanted));
    return inert(lines.slice(-SHOWN_LINES).join('\n'));
  }, [text, words]);
  useEffect(() => {
    if (follows && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [shown, follows]);
  if (shown.trim() === '')
    return (
      <Empty title={words ? 'No line has these words' : 'Nothing was written yet'}>
        {words ? 'Change the search to see other lines.' : 'What the engine writes appears here by itself.'}
      </Empty>
    );
  return (
    <div className="code">
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls takes the focus */}
      <pre ref={box} className="log" style={{ maxHeight: '60vh' }} tabIndex={0} role="region" aria-label="Log">
        {shown}
      </pre>
    </div>
  );
}
