import { Button, Collapse, Group, NumberInput, Select, Stack, Switch, Textarea, TextInput } from '@mantine/core';
import { IconAdjustments, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';

import type { Endpoint } from '@/api/endpoints';
import { changedCount } from '@/features/playground/request';
import { playground, useColumn } from '@/features/playground/store';
import { toolNames, toolsOf, withExample } from '@/features/playground/tools';
import { MOST_ANSWERS, type Params } from '@/features/playground/types';

type NumberField = { name: 'max_tokens' | 'temperature' | 'top_p' | 'top_k' | 'frequency_penalty' | 'presence_penalty' | 'seed' | 'n'; label: string; min?: number; max?: number; step: number };
const NUMBERS: NumberField[] = [
  { name: 'max_tokens', label: 'Max tokens', min: 1, step: 64 },
  { name: 'temperature', label: 'Temperature', min: 0, max: 2, step: 0.1 },
  { name: 'top_p', label: 'Top P', min: 0, max: 1, step: 0.05 },
  { name: 'top_k', label: 'Top K', min: 1, step: 1 },
  { name: 'frequency_penalty', label: 'Frequency penalty', min: -2, max: 2, step: 0.1 },
  { name: 'presence_penalty', label: 'Presence penalty', min: -2, max: 2, step: 0.1 },
  { name: 'seed', label: 'Seed', step: 1 },
  { name: 'n', label: 'Answers', min: 1, max: MOST_ANSWERS, step: 1 },
];

const NO_PARAMS: Params = {};
const MONO = { input: { fontFamily: 'var(--mono)', fontSize: 12 } };

/** System prompt and parameters; an empty field is the server's default. */
export function ColumnSettings({ id, endpoint }: { id: string; endpoint: Endpoint | undefined }) {
  const params = useColumn(id, (column) => column.params) ?? NO_PARAMS;
  const system = useColumn(id, (column) => column.system) ?? '';
  const [isOpen, setOpen] = useState(false);
  const count = changedCount(params) + (system.trim() ? 1 : 0);
  const put = (name: keyof Params, value: unknown): void => {
    const changed = { ...params, [name]: value };
    if (value === undefined || value === '') Reflect.deleteProperty(changed, name);
    playground.setSettings(id, { params: changed });
  };
  return (
    <>
      <Button size="xs" variant={count ? 'light' : 'subtle'} leftSection={<IconAdjustments size={14} aria-hidden />} onClick={() => setOpen(!isOpen)} aria-expanded={isOpen}>
        Settings{count ? ` (${count} changed)` : ''}
      </Button>
      <Collapse expanded={isOpen}>
        {isOpen && (
          <Stack gap="sm" mt="xs">
            <Textarea label="System prompt" value={system} onChange={(event) => playground.setSettings(id, { system: event.currentTarget.value })} autosize minRows={2} maxRows={8} />
            <div className="parameters">
              {NUMBERS.map(({ name, label, ...bounds }) => (
                <NumberInput key={name} size="xs" label={label} placeholder="Default" value={params[name] ?? ''} onChange={(value) => put(name, value === '' ? undefined : Number(value))} {...bounds} />
              ))}
              <TextInput size="xs" label="Stop" placeholder="Texts, separated by |" value={params.stop?.join('|') ?? ''} onChange={(event) => put('stop', event.currentTarget.value ? event.currentTarget.value.split('|') : undefined)} />
              {endpoint?.capabilities.openai_reasoning && (
                <Select size="xs" label="Reasoning effort" placeholder="Default" data={['none', 'minimal', 'low', 'medium', 'high']} value={params.reasoning_effort ?? null} onChange={(value) => put('reasoning_effort', value ?? undefined)} clearable clearButtonProps={{ 'aria-label': 'Default' }} />
              )}
              <Select
                size="xs"
                label="Format"
                data={[
                  { value: '', label: 'Text' },
                  { value: 'json_object', label: 'JSON' },
                  { value: 'json_schema', label: 'JSON schema' },
                ]}
                value={params.format ?? ''}
                onChange={(value) => put('format', value ?? undefined)}
                allowDeselect={false}
              />
            </div>
            <Switch size="xs" label="Token probabilities" checked={params.logprobs === true} onChange={(event) => put('logprobs', event.currentTarget.checked || undefined)} />
            {endpoint?.capabilities.function_calling && <Tools params={params} put={put} />}
            {params.format === 'json_schema' && (
              <Textarea label="JSON schema" placeholder='{"type": "object", "properties": {…}}' value={params.schema ?? ''} onChange={(event) => put('schema', event.currentTarget.value)} autosize minRows={4} maxRows={12} styles={MONO} />
            )}
          </Stack>
        )}
      </Collapse>
    </>
  );
}

/** Functions that the model may call; what they give is typed in under the answer. */
function Tools({ params, put }: { params: Params; put: (name: keyof Params, value: unknown) => void }) {
  const text = params.tools ?? '';
  const problem = problemOf(text);
  const names = toolNames(text);
  return (
    <Stack gap="xs">
      <Textarea
        label="Tools"
        description="Functions as JSON, one or a list"
        placeholder='[{"name": "get_weather", "parameters": {…}}]'
        value={text}
        onChange={(event) => put('tools', event.currentTarget.value)}
        error={problem}
        autosize
        minRows={2}
        maxRows={12}
        styles={MONO}
      />
      <Group gap="xs" align="flex-end">
        <Button size="xs" variant="default" leftSection={<IconPlus size={14} aria-hidden />} disabled={problem !== null} onClick={() => put('tools', withExample(text))}>
          Add tool
        </Button>
        {names.length > 0 && (
          <Select
            size="xs"
            label="Tool choice"
            data={[{ value: '', label: 'The model decides' }, { value: 'none', label: 'None' }, { value: 'required', label: 'At least one' }, ...new Set(names)]}
            value={params.tool_choice ?? ''}
            onChange={(value) => put('tool_choice', value ?? undefined)}
            allowDeselect={false}
            w={180}
          />
        )}
      </Group>
    </Stack>
  );
}

function problemOf(text: string): string | null {
  try {
    toolsOf(text);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
