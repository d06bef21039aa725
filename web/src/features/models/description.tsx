import { ActionIcon, Button, Group, Stack, Text, Textarea } from '@mantine/core';
import { IconPencil } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { type Model, setModelComment } from '@/api/models';
import { ErrorPanel } from '@/ui/feedback';

/** What the model is for, in its owner's words. */
export function Description({ model, canManage }: { model: Model; canManage: boolean }) {
  const [draft, setDraft] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const client = useQueryClient();
  const save = async (text: string): Promise<void> => {
    setError(null);
    try {
      await setModelComment(model.full_name, text);
      await client.invalidateQueries({ queryKey: ['models'] });
      setDraft(null);
    } catch (problem) {
      setError(problem);
    }
  };
  if (draft === null)
    return (
      <Group gap="xs" wrap="nowrap" align="flex-start">
        <Text size="sm" c={model.comment ? undefined : 'dimmed'} className="breaks" maw={860}>
          {model.comment || 'No description.'}
        </Text>
        {canManage && (
          <ActionIcon variant="subtle" color="gray" size="sm" onClick={() => setDraft(model.comment)} aria-label="Edit the description">
            <IconPencil size={14} />
          </ActionIcon>
        )}
      </Group>
    );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void save(draft);
      }}
    >
      <Stack gap="xs" maw={720}>
        <Textarea label="Description" value={draft} onChange={(event) => setDraft(event.currentTarget.value)} autosize minRows={2} data-autofocus />
        {error !== null && <ErrorPanel error={error} title="The description was not changed" />}
        <Group gap="xs">
          <Button size="xs" type="submit">
            Save
          </Button>
          <Button size="xs" variant="default" onClick={() => setDraft(null)}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
