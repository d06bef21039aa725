import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';

import { deleteVersion } from '@/api/models';
import { beginVersion, sendFiles, type UploadFile } from '@/api/uploads';
import { told } from '@/ui/notify';

type Order = { name: string; source: string; comment: string; plan: readonly UploadFile[]; total: number };
type Upload = { at: { done: number; total: number } | null; error: unknown; send: (order: Order) => Promise<void>; cancel: () => void };

const isAborted = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError';

/** Sends files as a version of a model. A version whose files did not all arrive is taken back. */
export function useUpload(onDone: () => void, onSending: (isSending: boolean) => void): Upload {
  const [at, setAt] = useState<Upload['at']>(null);
  const [error, setError] = useState<unknown>(null);
  const running = useRef<AbortController | null>(null);
  const client = useQueryClient();
  const navigate = useNavigate();
  useStayAsked(at !== null);
  const send = async ({ name, source, comment, plan, total }: Order): Promise<void> => {
    const control = new AbortController();
    running.current = control;
    setError(null);
    setAt({ done: 0, total });
    onSending(true);
    let begun: number | null = null;
    try {
      const version = await beginVersion(name, source, comment);
      begun = version.version;
      const onBytes = (count: number): void => setAt((now) => now && { done: now.done + count, total });
      await sendFiles(name, version, plan, { onBytes, signal: control.signal });
      await client.invalidateQueries({ queryKey: ['models'] });
      told(`Version ${begun} of ${name} is here.`);
      onSending(false);
      onDone();
      await navigate({ to: '/models/$name', params: { name } });
    } catch (problem) {
      if (begun !== null) await deleteVersion(name, begun).catch(() => undefined);
      await client.invalidateQueries({ queryKey: ['models'] });
      if (!isAborted(problem)) setError(problem);
      setAt(null);
      onSending(false);
    }
  };
  return { at, error, send, cancel: () => running.current?.abort() };
}

/** The browser asks before it leaves the page. */
function useStayAsked(isBusy: boolean): void {
  useEffect(() => {
    if (!isBusy) return;
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [isBusy]);
}
