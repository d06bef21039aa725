import { authorizedFetch, http, path } from '@/api/http';
import type { Version } from '@/api/models';
import { problem } from '@/api/session';
import { apiRoot } from '@/lib/base';
import { ApiError } from '@/lib/problem';

const PART_BYTES = 16 * 1024 * 1024;
const AT_ONCE = 3;
const TRIES = 5;
const FIRST_PAUSE_MS = 500;
const FILES = 'api/2.0/fs/files';

export type UploadFile = { path: string; file: Blob };
type Sending = { onBytes: (count: number) => void; signal: AbortSignal };

const escaped = (folder: string, name: string): string => `${FILES}${folder}/${name}`.split('/').map(encodeURIComponent).join('/');

/** One request, and again with growing pauses while the server cannot be reached: it may be starting again. */
async function put(address: string, body: Blob, signal: AbortSignal): Promise<Response> {
  for (let failures = 1; ; failures++) {
    try {
      const answer = await authorizedFetch(new URL(address, apiRoot()), { method: 'PUT', body, signal });
      if (!answer.ok) throw await problem(answer);
      return answer;
    } catch (error) {
      if (!(error instanceof ApiError && (error.isUnreachable || error.status === 503)) || failures >= TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, FIRST_PAUSE_MS * 2 ** failures));
    }
  }
}

async function sendParts(address: string, file: Blob, { onBytes, signal }: Sending): Promise<void> {
  const begun = (await http.post(`/${address}?action=initiate-upload&overwrite=true`)) as { multipart_upload: { session_token: string } };
  const token = begun.multipart_upload.session_token;
  const count = Math.ceil(file.size / PART_BYTES);
  const parts: { part_number: number; etag: string }[] = [];
  let next = 1;
  const work = async (): Promise<void> => {
    while (next <= count) {
      const number = next++;
      const slice = file.slice((number - 1) * PART_BYTES, number * PART_BYTES);
      const answer = await put(path`api/2.0/fs/uploads/${token}/parts/${number}`, slice, signal);
      parts.push({ part_number: number, etag: (answer.headers.get('etag') ?? '').replaceAll('"', '') });
      onBytes(slice.size);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  parts.sort((one, other) => one.part_number - other.part_number);
  await http.post(`/${address}?action=complete-upload&session_token=${encodeURIComponent(token)}`, { parts });
}

/** The model is there already, or is now. */
async function ensureModel(name: string): Promise<void> {
  const [catalog_name, schema_name, model] = name.split('.');
  try {
    await http.post('/api/2.1/unity-catalog/models', { catalog_name, schema_name, name: model });
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'RESOURCE_ALREADY_EXISTS')) throw error;
  }
}

/** A version that waits for its files; the model is made where it is missing. Rejects with an `ApiError`. */
export async function beginVersion(name: string, source: string, comment: string): Promise<Version> {
  await ensureModel(name);
  const [catalog_name, schema_name, model_name] = name.split('.');
  return (await http.post('/api/2.1/unity-catalog/models/versions', { catalog_name, schema_name, model_name, source, comment })) as Version;
}

/** Send the files to the version, big ones in parts, and let the server judge them. Rejects with an `ApiError`, or as aborted. */
export async function sendFiles(name: string, version: Version, files: readonly UploadFile[], sending: Sending): Promise<Version> {
  for (const { path: inside, file } of files) {
    const address = escaped(version.storage_location, inside);
    if (file.size > PART_BYTES) await sendParts(address, file, sending);
    else {
      await put(`${address}?overwrite=true`, file, sending.signal);
      sending.onBytes(file.size);
    }
  }
  return (await http.patch(path`/api/2.1/unity-catalog/models/${name}/versions/${version.version}/finalize`, {})) as Version;
}
