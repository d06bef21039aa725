import { ActionIcon, Button, Group, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';

import { type Endpoint, setDescription, setTags } from '@/api/endpoints';
import { tagChanges, type TagDraft, tagDraftsOf, tagsProblem } from '@/features/endpoint/tag-changes';
import { FormDialog } from '@/ui/form-dialog';

/** Changes what the endpoint says of itself; what it runs stays as it is. */
export function AboutDialog({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const [description, setDraft] = useState(endpoint.description);
  const [tags, setTagDrafts] = useState(tagDraftsOf(endpoint.tags));
  const problem = tagsProblem(tags);
  const save = async (): Promise<void> => {
    if (description !== endpoint.description) await setDescription(endpoint.name, description);
    const changes = tagChanges(endpoint.tags, tags);
    if (changes) await setTags(endpoint.name, changes.added, changes.deleted);
  };
  return (
    <FormDialog title="Description and tags" action="Save" failed="Not everything was saved" isReady={problem === null} queryKey="endpoints" onClose={onClose} submit={save}>
      <Textarea label="Description" value={description} onChange={(event) => setDraft(event.currentTarget.value)} autosize minRows={2} maxRows={8} data-autofocus />
      <Tags tags={tags} onChange={setTagDrafts} />
      {problem !== null && (
        <Text size="sm" c="var(--mantine-color-error)" role="alert">
          {problem}
        </Text>
      )}
    </FormDialog>
  );
}

function Tags({ tags, onChange }: { tags: readonly TagDraft[]; onChange: (tags: TagDraft[]) => void }) {
  const put = (index: number, change: Partial<TagDraft>): void => onChange(tags.map((one, at) => (at === index ? { ...one, ...change } : one)));
  return (
    <Stack gap="xs" role="group" aria-label="Tags">
      {tags.map((tag, index) => (
        <Group key={index} gap="xs" align="flex-end" wrap="nowrap">
          <TextInput label="Key" value={tag.key} onChange={(event) => put(index, { key: event.currentTarget.value })} autoComplete="off" />
          <TextInput label="Value" value={tag.value} onChange={(event) => put(index, { value: event.currentTarget.value })} autoComplete="off" />
          <ActionIcon variant="subtle" color="red" size="lg" aria-label={`Remove tag ${index + 1}`} onClick={() => onChange(tags.filter((_, at) => at !== index))}>
            <IconTrash size={16} />
          </ActionIcon>
        </Group>
      ))}
      <Group>
        <Button size="xs" variant="default" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => onChange([...tags, { key: '', value: '' }])}>
          Add a tag
        </Button>
      </Group>
    </Stack>
  );
}
