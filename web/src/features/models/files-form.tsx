import { Button, FileButton, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';

import { NameFields } from '@/features/models/name-fields';
import { Transfer } from '@/features/models/transfer';
import { isModelName, objection, planned, suggestedName, totalBytes } from '@/features/models/upload-plan';
import { useUpload } from '@/features/models/use-upload';
import { bytes } from '@/lib/format';
import { ErrorPanel } from '@/ui/feedback';

const FOLDER = { webkitdirectory: '' } as React.InputHTMLAttributes<HTMLInputElement>;

type FilesProps = { known: string | undefined; onClose: () => void; onSending: (isSending: boolean) => void };

/** The browser sends a folder or a file; the dialog stays open until all is there. */
export function FilesForm({ known, onClose, onSending }: FilesProps) {
  const [files, setFiles] = useState<readonly File[]>([]);
  const [own, setOwn] = useState<string | null>(null);
  const [comment, setComment] = useState('');
  const upload = useUpload(onClose, onSending);
  const plan = planned(files);
  const source = files[0] ? (files[0].webkitRelativePath.split('/')[0] ?? '') || files[0].name : '';
  const suggested = suggestedName(source);
  const name = known ?? own ?? (suggested ? `main.default.${suggested}` : '');
  const against = files.length > 0 ? objection(plan) : null;
  const total = totalBytes(plan);
  if (upload.at)
    return (
      <Stack>
        <Text size="sm">
          {source} becomes a version of <b className="breaks">{name}</b>. Keep this page open until all of it is there.
        </Text>
        <Transfer at={upload.at.done < total ? upload.at : null} words="The server looks at the files." label="Upload" />
        <Group justify="flex-end">
          <Button variant="default" onClick={upload.cancel}>
            Stop the upload
          </Button>
        </Group>
      </Stack>
    );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void upload.send({ name, source, comment, plan, total });
      }}
    >
      <Stack>
        <Group>
          <FileButton onChange={setFiles} multiple inputProps={FOLDER}>
            {(props) => (
              <Button variant="default" {...props} data-autofocus>
                Choose a folder
              </Button>
            )}
          </FileButton>
          <FileButton onChange={setFiles} multiple accept=".gguf,.safetensors,.onnx,.json,.txt,.model">
            {(props) => (
              <Button variant="default" {...props}>
                Choose files
              </Button>
            )}
          </FileButton>
          {plan.length > 0 && (
            <Text size="sm" role="status">
              {source}: {plan.length} {plan.length === 1 ? 'file' : 'files'}, {bytes(total)}
            </Text>
          )}
        </Group>
        {against && (
          <Text size="sm" c="var(--mantine-color-error)" role="alert">
            {against}
          </Text>
        )}
        <NameFields known={known} name={name} onName={setOwn} comment={comment} onComment={setComment} />
        <Text size="xs" c="dimmed">
          For many gigabytes use <code>openfm models register</code>: it goes on where it was cut.
        </Text>
        {upload.error !== null && <ErrorPanel error={upload.error} title="The model was not imported" />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" disabled={plan.length === 0 || against !== null || !isModelName(name)}>
            Import
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
