import { Button, Group, SegmentedControl, Select, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';

import { sqlPageQuery } from '@/api/sql';
import { type Filter, rangeOf, tagProblem, unitOf, unitsOf, USAGE_RANGES, type UsageSearch, whereOf } from '@/parts/usage/filters';
import { choices } from '@/parts/usage/questions';
import { useNow } from '@/ui/time';

const CHOICES = 1_000;
const NOTHING: UsageSearch = { endpoint: undefined, user: undefined, token: undefined, tag: undefined, status: undefined };
const UNIT_WORDS = { hour: 'Hour', day: 'Day', week: 'Week' };

type BarProps = { search: UsageSearch; filter: Filter; hasUnit?: boolean; children?: ReactNode };

/** What is looked at. What there is to choose from is asked for when somebody opens a list. */
export function FilterBar({ search, filter, hasUnit = false, children }: BarProps) {
  const now = useNow(60_000);
  const [isOpened, setOpened] = useState(false);
  const query = useQuery({ ...sqlPageQuery(choices(whereOf({ range: search.range }, now)), CHOICES), enabled: isOpened, staleTime: 60_000 });
  const options = (kind: string, chosen: string | undefined): string[] => {
    const found = (query.data?.rows ?? []).filter((row) => row.kind === kind).map((row) => String(row.value));
    return chosen === undefined || found.includes(chosen) ? found : [chosen, ...found];
  };
  const select = (label: string, name: 'endpoint' | 'user' | 'token', kind: string): ReactNode => (
    <Select
      label={label}
      placeholder="All"
      data={options(kind, search[name])}
      value={search[name] ?? null}
      onChange={(chosen) => filter({ [name]: chosen ?? undefined })}
      onDropdownOpen={() => setOpened(true)}
      nothingFoundMessage={query.isFetching ? 'Loading…' : 'Nothing to choose in this time'}
      clearable
      searchable
      clearButtonProps={{ 'aria-label': `All: ${label.toLowerCase()}` }}
      className="filter"
    />
  );
  const units = unitsOf(search);
  return (
    <Group align="flex-end" gap="sm">
      <div className="scrolls">
        <SegmentedControl aria-label="Time range" data={Object.keys(USAGE_RANGES)} value={rangeOf(search)} onChange={(range) => filter({ range })} />
      </div>
      {hasUnit && units.length > 1 && (
        <SegmentedControl
          aria-label="Unit of time"
          data={[...units].reverse().map((value) => ({ value, label: UNIT_WORDS[value] }))}
          value={unitOf(search)}
          onChange={(unit) => filter({ unit })}
        />
      )}
      {select('Endpoint', 'endpoint', 'endpoint_name')}
      {select('User', 'user', 'requester')}
      {select('Access token', 'token', 'token_id')}
      <TagField key={search.tag ?? ''} tag={search.tag ?? ''} onTag={(tag) => filter({ tag })} />
      {children}
      {Object.keys(NOTHING).some((name) => search[name as keyof UsageSearch] !== undefined) && (
        <Button variant="subtle" onClick={() => filter(NOTHING)}>
          Clear filters
        </Button>
      )}
    </Group>
  );
}

const PAUSE_MS = 700;

/** Takes what is typed after a pause, or at Enter: each change is a question to the ledger. */
function TagField({ tag, onTag }: { tag: string; onTag: (tag: string | undefined) => void }) {
  const [typed, setTyped] = useState(tag);
  const problem = tagProblem(typed);
  const take = (): void => {
    if (problem === null && typed !== tag) onTag(typed === '' ? undefined : typed);
  };
  useEffect(() => {
    const timer = setTimeout(take, PAUSE_MS);
    return () => clearTimeout(timer);
  });
  return (
    <TextInput
      label="Tag"
      placeholder="team=search"
      value={typed}
      error={problem}
      onChange={(event) => setTyped(event.currentTarget.value)}
      onKeyDown={(event) => event.key === 'Enter' && take()}
      className="filter"
    />
  );
}
