import { Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { type Kind, nameOf, principalsQuery } from '@/api/people';

/** What limits, budgets and shares call those whom they are for. */
export const KIND_OF: Record<string, Kind> = { user: 'Users', service_principal: 'ServicePrincipals', user_group: 'Groups' };

type SelectProps = {
  kind: Kind;
  label?: string;
  description?: string;
  value: string;
  onChange: (name: string) => void;
  /** What no name means; without it one has to be chosen. */
  empty?: string | undefined;
  error?: string | undefined;
};

/** One of the users, service principals or groups, by name. Whoever was chosen and is gone since is shown all the same. */
export function PrincipalSelect({ kind, label = 'Name', description, value, onChange, empty, error }: SelectProps) {
  const found = useQuery(principalsQuery(kind)).data ?? [];
  const options = found.map((one) => ({ value: nameOf(one), label: one.userName ?? one.displayName ?? nameOf(one) }));
  const isKnown = value === '' || options.some((one) => one.value === value);
  return (
    <Select
      label={label}
      {...(description === undefined ? {} : { description })}
      {...(empty === undefined ? {} : { placeholder: empty })}
      data={isKnown ? options : [...options, { value, label: value }]}
      value={value || null}
      onChange={(name) => onChange(name ?? '')}
      nothingFoundMessage="Nobody of this name"
      searchable
      clearable={empty !== undefined}
      clearButtonProps={{ 'aria-label': empty ?? '' }}
      error={error}
    />
  );
}
