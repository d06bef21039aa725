import type { ServingEstimate } from '@/api/endpoints';
import type { EntityDraft } from '@/features/endpoints/draft';
import { bytes, count, duration, short } from '@/lib/format';

const REPLICAS: Record<string, number> = { Small: 1, Medium: 2, Large: 4 };

/** How many replicas a shared entity has from the start; what is provisioned grows by itself. */
export const replicasOf = (entity: Pick<EntityDraft, 'mode' | 'workloadSize'>): number => (entity.mode === 'shared' ? (REPLICAS[entity.workloadSize] ?? 1) : 1);

const STEPS = 20;

/** The throughput that can be chosen, from 0: `left` is what the machine has for it, where that is known. */
export function stepsOf(chunk: number, left: number | null): number[] {
  const most = left === null ? STEPS : Math.min(STEPS, Math.floor(left / chunk));
  return Array.from({ length: Math.max(1, most) + 1 }, (_, step) => step * chunk);
}

export type Fit = { parts: { name: string; percent: number; color: string }[]; sentence: string; isTooLarge: boolean };

/** The machine's memory with this entity in it, in parts of a bar. */
export function fitOf(memory: ServingEstimate['memory'], replicas: number): Fit {
  const wanted = replicas * memory.replica_bytes;
  const scale = Math.max(memory.total_bytes, memory.held_bytes + wanted, 1);
  const part = (name: string, size: number, color: string): Fit['parts'][number] => ({ name: `${name} ${bytes(size)}`, percent: (100 * size) / scale, color });
  const isTooLarge = wanted > memory.left_bytes;
  const each = `${bytes(memory.weight_bytes)} for weights and ${bytes(memory.kv_cache_bytes)} for the KV cache of ${count(memory.sequences)} sequences`;
  const needs = `Needs ${bytes(wanted)}${replicas > 1 ? ` for ${replicas} replicas` : ''}: ${each}${replicas > 1 ? ' each' : ''}, the rest for the engine.`;
  const left = `${bytes(memory.left_bytes)} of ${bytes(memory.total_bytes)} are free.`;
  return {
    parts: [
      part('Other endpoints', memory.held_bytes, 'gray.5'),
      part('Weights', replicas * memory.weight_bytes, 'cyan.7'),
      part('KV cache', replicas * memory.kv_cache_bytes, 'violet.5'),
      part('Engine', replicas * memory.overhead_bytes, 'orange.5'),
    ],
    sentence: isTooLarge ? `${needs} ${left} It does not fit: stop or delete another endpoint, or choose a smaller or more quantised model.` : `${needs} ${left}`,
    isTooLarge,
  };
}

/** What so many tokens a second do, from what was measured; null where no rate was tried. */
export function meaningOf(measured: NonNullable<ServingEstimate['throughput']>, tokensPerSecond: number): string | null {
  const { work_per_request: work, prompt_tokens: prompt, completion_tokens: completion, ttft_ms: ttft, tpot_ms: tpot, e2e_ms: e2e } = measured;
  if (!work || tokensPerSecond <= 0) return null;
  const perSecond = tokensPerSecond / work;
  const rate = (value: number): string => short(value < 10 ? Math.round(value * 10) / 10 : Math.floor(value));
  const load = `About ${rate(perSecond * 60)} requests a minute of ${count(prompt)} prompt and ${count(completion)} completion tokens`;
  const atOnce = e2e === null ? '' : `, ${count(Math.max(1, Math.round((perSecond * e2e) / 1000)))} at a time`;
  const speeds = [ttft === null ? null : `first token within ${duration(ttft)}`, tpot ? `${count(1000 / tpot)} tokens/s each` : null].filter((one) => one !== null);
  return `${load}${atOnce}${speeds.length ? `; ${speeds.join(', ')} (p${measured.percentile})` : ''}.`;
}
