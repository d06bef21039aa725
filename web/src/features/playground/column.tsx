import { ActionIcon, Box, Button, Group, Menu, Paper, Select, Stack, Text } from '@mantine/core';
import { IconArrowsMaximize, IconArrowsMinimize, IconDots, IconX } from '@tabler/icons-react';
import { memo, useEffect, useRef } from 'react';

import type { Endpoint } from '@/api/endpoints';
import type { Price } from '@/api/usage';
import { AssistantTurn, UserTurn } from '@/features/playground/message';
import { ColumnSettings } from '@/features/playground/settings';
import { playground, useColumn, usePlayground } from '@/features/playground/store';
import { ToolTurn } from '@/features/playground/tool-calls';
import { openCalls } from '@/features/playground/tools';
import type { Message } from '@/features/playground/types';
import { short } from '@/lib/format';
import { priceFor } from '@/lib/model';
import { StateBadge, stateOf } from '@/ui/state';

type ColumnProps = {
  id: string;
  number: number;
  endpoints: readonly Endpoint[];
  prices: readonly Price[];
  canClose: boolean;
  isExpanded: boolean;
  expand: (id: string | null) => void;
  code: (id: string) => void;
};

const NO_MESSAGES: readonly Message[] = [];

/** One endpoint and the conversation with it. */
export const ColumnView = memo(function ColumnView({ id, number, endpoints, prices, canClose, isExpanded, expand, code }: ColumnProps) {
  const name = useColumn(id, (column) => column.endpoint) ?? '';
  const isBusy = usePlayground(() => playground.isRunning(id));
  const endpoint = endpoints.find((one) => one.name === name);
  const price = priceOf(endpoint, prices);
  return (
    <Paper withBorder radius="md" className="column" component="section" aria-label={`Column ${number}: ${name || 'no endpoint'}`}>
      <Stack gap="xs" p="sm" className="column-head">
        <Group gap="xs" wrap="nowrap" align="flex-end">
          <Select
            label={`Endpoint ${number}`}
            placeholder="Choose an endpoint"
            data={endpoints.map((one) => ({ value: one.name, label: one.name }))}
            renderOption={({ option }) => <EndpointOption endpoint={endpoints.find((one) => one.name === option.value)} prices={prices} />}
            value={endpoint ? name : null}
            onChange={(chosen) => playground.setEndpoint(id, chosen ?? '')}
            searchable
            allowDeselect={false}
            nothingFoundMessage="No chat endpoint is called so"
            style={{ flexGrow: 1 }}
          />
          <ColumnMenu id={id} number={number} canClose={canClose} isExpanded={isExpanded} expand={expand} code={code} />
        </Group>
        <Group gap="xs">
          {endpoint && <StateBadge state={endpoint.state} />}
          {endpoint &&
            factsOf(endpoint).map((fact) => (
              <Text key={fact} size="xs" c="dimmed">
                {fact}
              </Text>
            ))}
          {price && (
            <Text size="xs" c="dimmed">
              {priceWords(price)}
            </Text>
          )}
        </Group>
        <Box>
          <ColumnSettings id={id} endpoint={endpoint} />
        </Box>
      </Stack>
      <Turns id={id} price={price} isBusy={isBusy} number={number} />
      {isBusy && (
        <Box p="sm" pt={0}>
          <Button size="xs" variant="default" onClick={() => playground.stop(id)} aria-label={`Stop column ${number}`}>
            Stop
          </Button>
        </Box>
      )}
    </Paper>
  );
});

/** What can be said of an endpoint's model in a few words. */
const factsOf = ({ capabilities, context_length: context }: Endpoint): string[] => [
  ...(context ? [`${short(context)} context`] : []),
  ...(capabilities.function_calling ? ['Tools enabled'] : []),
  ...(capabilities.openai_reasoning ? ['Reasoning'] : []),
];

const priceOf = (endpoint: Endpoint | undefined, prices: readonly Price[]): Price | null =>
  endpoint ? priceFor(prices, endpoint.name, endpoint.config?.served_entities[0]?.entity_name, Date.now()) : null;
/** For a million tokens in, and out. */
const priceWords = ({ prompt, completion, currency }: Price): string => `${prompt ?? '0'} / ${completion ?? '0'} ${currency} per million`;

function EndpointOption({ endpoint, prices }: { endpoint: Endpoint | undefined; prices: readonly Price[] }) {
  if (!endpoint) return null;
  const price = priceOf(endpoint, prices);
  return (
    <Box>
      <Text size="sm" className="breaks">
        {endpoint.name}
      </Text>
      <Text size="xs" c="dimmed" aria-hidden>
        {[stateOf(endpoint.state).words, ...factsOf(endpoint), ...(price ? [priceWords(price)] : [])].join(' · ')}
      </Text>
    </Box>
  );
}

type MenuProps = Pick<ColumnProps, 'id' | 'number' | 'canClose' | 'isExpanded' | 'expand' | 'code'>;

function ColumnMenu({ id, number, canClose, isExpanded, expand, code }: MenuProps) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="default" size="lg" aria-label={`Actions for column ${number}`}>
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => code(id)}>
          Get code
        </Menu.Item>
        {canClose && (
          <>
            <Menu.Item leftSection={isExpanded ? <IconArrowsMinimize size={14} aria-hidden /> : <IconArrowsMaximize size={14} aria-hidden />} onClick={() => expand(isExpanded ? null : id)}>
              {isExpanded ? 'Show all columns' : 'Show only this column'}
            </Menu.Item>
            <Menu.Item leftSection={<IconX size={14} aria-hidden />} color="red" onClick={() => playground.removeColumn(id)}>
              Remove this column
            </Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

const NEAR_PX = 80;

function Turns({ id, price, isBusy, number }: { id: string; price: Price | null; isBusy: boolean; number: number }) {
  const messages = useColumn(id, (column) => column.messages) ?? NO_MESSAGES;
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const sent = messages.length;
  useEffect(() => {
    isAtEnd.current = true; // whoever sends wants to see the answer
  }, [sent]);
  useEffect(() => {
    if (isAtEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [messages]);
  return (
    <div
      ref={box}
      className="turns-box"
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls takes the focus
      tabIndex={0}
      role="region"
      aria-label={`Conversation ${number}`}
      onScroll={(event) => {
        const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
      }}
    >
      {messages.length === 0 && (
        <Text size="sm" c="dimmed" ta="center" py="xl">
          What you ask below is answered here.
        </Text>
      )}
      {messages.map((message) => {
        if (message.role === 'user') return <UserTurn key={message.id} columnId={id} message={message} isBusy={isBusy} />;
        if (message.role === 'tool') return <ToolTurn key={message.id} message={message} />;
        return <AssistantTurn key={message.id} columnId={id} message={message} price={price} isBusy={isBusy} isOpen={openCalls(messages, message).length > 0} />;
      })}
    </div>
  );
}
