/** A file as the browser hands it over: from a folder with its path inside it. */
type Picked = { name: string; size: number; webkitRelativePath?: string };
export type Planned<File extends Picked> = { path: string; file: File };

/** What of the picked files is sent and under which path: hidden files stay here, and a folder's own name is not part of it. */
export function planned<File extends Picked>(files: readonly File[]): Planned<File>[] {
  return files
    .map((file) => ({ path: file.webkitRelativePath ? file.webkitRelativePath.split('/').slice(1).join('/') : file.name, file }))
    .filter(({ path }) => path !== '' && !path.split('/').some((part) => part.startsWith('.')))
    .sort((one, other) => one.path.localeCompare(other.path));
}

export const totalBytes = (plan: readonly { file: { size: number } }[]): number => plan.reduce((sum, { file }) => sum + file.size, 0);

/** Why these files make no model, as far as names tell; null where they may. The server judges them whole. */
export function objection(plan: readonly { path: string }[]): string | null {
  if (plan.length === 0) return 'There is no file in it that could be sent.';
  const names = plan.map(({ path }) => path.toLowerCase());
  if (names.some((name) => /\.(gguf|safetensors|onnx)$/.test(name))) return null;
  return 'There are no weights in it: a model has files that end in .gguf, .safetensors or .onnx.';
}

/** What a model made of these files, or of this source, may be called: letters, digits and underscores. */
export function suggestedName(source: string): string {
  const last = source.replace(/^hf:\/\//, '').replace(/@.*$/, '').split('/').filter(Boolean).at(-1) ?? '';
  return last
    .replace(/\.(gguf|safetensors|onnx)$/i, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
}

/** Whether a name is catalog.schema.model. */
export const isModelName = (name: string): boolean => /^[^\s./]+\.[^\s./]+\.[^\s./]+$/.test(name);
