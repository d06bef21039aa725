import { Group, Modal, Text, TextInput, UnstyledButton } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useMemo, useState } from 'react';

import { endpointsQuery } from '@/api/endpoints';
import { modelsQuery } from '@/api/models';
import { session } from '@/api/session';
import { useUser } from '@/api/user';
import { linksFor } from '@/app/links';
import { type Entry, fitting } from '@/app/palette-entries';

const idOf = (index: number): string => `go-to-${index}`;

/** Type where to go: pages, endpoints, models. */
export function Palette({ onClose }: { onClose: () => void }) {
  const entries = useEntries();
  const [typed, type] = useState('');
  const [chosen, choose] = useState(0);
  const shown = fitting(entries, typed);
  const at = Math.min(chosen, Math.max(0, shown.length - 1));
  const go = (entry: Entry | undefined): void => {
    if (!entry) return;
    onClose();
    entry.run();
  };
  const press = (event: React.KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && shown.length > 0) {
      event.preventDefault();
      choose((at + step + shown.length) % shown.length);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      go(shown[at]);
    }
  };
  return (
    <Modal opened onClose={onClose} title="Go to…" padding="sm" size="lg" yOffset="10vh">
      <TextInput
        aria-label="Go to a page, an endpoint or a model"
        placeholder="Go to a page, an endpoint or a model"
        leftSection={<IconSearch size={16} aria-hidden />}
        value={typed}
        onChange={(event) => {
          type(event.currentTarget.value);
          choose(0);
        }}
        onKeyDown={press}
        role="combobox"
        aria-expanded={shown.length > 0}
        aria-controls="go-to-list"
        aria-autocomplete="list"
        aria-activedescendant={shown.length > 0 ? idOf(at) : undefined}
        autoComplete="off"
        data-autofocus
      />
      <div id="go-to-list" role="listbox" aria-label="Where to" className="palette">
        {shown.map((entry, index) => (
          <UnstyledButton key={entry.key} id={idOf(index)} role="option" aria-selected={index === at} tabIndex={-1} className="palette-entry" onClick={() => go(entry)} onMouseMove={() => choose(index)}>
            <Group justify="space-between" gap="xs" wrap="nowrap">
              <Text size="sm" className="breaks">
                {entry.label}
              </Text>
              <Text size="xs" c="dimmed">
                {entry.kind}
              </Text>
            </Group>
          </UnstyledButton>
        ))}
      </div>
      {shown.length === 0 && (
        <Text size="sm" c="dimmed" p="sm" role="status">
          Nothing is called that.
        </Text>
      )}
    </Modal>
  );
}

function useEntries(): Entry[] {
  const user = useUser();
  const navigate = useNavigate();
  const endpoints = useQuery(endpointsQuery).data;
  const models = useQuery(modelsQuery).data;
  return useMemo(
    () => [
      ...linksFor(user).map(({ to, label }) => ({ key: to, label, kind: 'Page', run: () => void navigate({ to }) })),
      { key: 'create', label: 'Create serving endpoint', kind: 'Action', run: () => void navigate({ to: '/create-endpoint', search: {} }) },
      ...(endpoints ?? []).map(({ name }) => ({ key: `endpoint ${name}`, label: name, kind: 'Endpoint', run: () => void navigate({ to: '/endpoints/$name', params: { name } }) })),
      ...(models ?? []).map(({ full_name: name }) => ({ key: `model ${name}`, label: name, kind: 'Model', run: () => void navigate({ to: '/models/$name', params: { name } }) })),
      { key: 'sign-out', label: 'Sign out', kind: 'Action', run: () => void session.signOut() },
    ],
    [user, navigate, endpoints, models],
  );
}
