import { Textarea, TextInput } from '@mantine/core';

import { isModelName } from '@/features/models/upload-plan';

type NameProps = { known: string | undefined; name: string; onName: (name: string) => void; comment: string; onComment: (comment: string) => void };

/** What the model will be called, and what there is to say about the version. */
export function NameFields({ known, name, onName, comment, onComment }: NameProps) {
  return (
    <>
      <TextInput
        label="Name"
        description="catalog.schema.model; a model of this name gets another version"
        value={name}
        onChange={(event) => onName(event.currentTarget.value)}
        error={name !== '' && !isModelName(name) ? 'It has three parts with dots between them, as in main.default.support_chat.' : undefined}
        disabled={known !== undefined}
        required
        withAsterisk={false}
      />
      <Textarea label="Comment" value={comment} onChange={(event) => onComment(event.currentTarget.value)} autosize />
    </>
  );
}
