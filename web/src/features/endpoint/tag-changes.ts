import type { Tag } from '@/api/endpoints';

/** Tags while somebody writes them; a row without a key is none. */
export type TagDraft = { key: string; value: string };

export const tagDraftsOf = (tags: readonly Tag[]): TagDraft[] => tags.map(({ key, value }) => ({ key, value: value ?? '' }));

const named = (drafts: readonly TagDraft[]): TagDraft[] => drafts.map(({ key, value }) => ({ key: key.trim(), value: value.trim() })).filter(({ key }) => key !== '');

/** Why they cannot be sent, or null. */
export function tagsProblem(drafts: readonly TagDraft[]): string | null {
  const keys = named(drafts).map(({ key }) => key);
  const twice = keys.find((key, at) => keys.indexOf(key) !== at);
  if (twice !== undefined) return `There are two tags with the key ${twice}.`;
  return drafts.some(({ key, value }) => key.trim() === '' && value.trim() !== '') ? 'Give each value a key.' : null;
}

/** What has to be added or changed, and the keys that go; null where nothing does. */
export function tagChanges(before: readonly Tag[], drafts: readonly TagDraft[]): { added: Tag[]; deleted: string[] } | null {
  const wanted = named(drafts);
  const kept = new Map(tagDraftsOf(before).map(({ key, value }) => [key, value]));
  const added = wanted.filter(({ key, value }) => kept.get(key) !== value);
  const deleted = [...kept.keys()].filter((key) => !wanted.some((one) => one.key === key));
  return added.length + deleted.length === 0 ? null : { added, deleted };
}
