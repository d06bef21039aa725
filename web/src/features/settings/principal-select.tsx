import { Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { type Kind, nameOf, principalsQuery } from '@/api/people';

/** What limits and shares call those whom they are for. */
export const KIND_OF: Record<string, Kind> = { user: 'Users', service_principal: 'ServicePrincipals', user_group: 'Groups' };

type SelectProps = { kind: Kind; description: string; value: string; onChange: (name: string) => void; /** What no name means; without it one has to be chosen. */ empty?: string | undefined };

/** One of the users, service principals or groups, by name. */
export function PrincipalSelect({ kind, description, value, onChange, empty }: SelectProps) {
  const found = useQuery(principalsQuery(kind)).data ?? [];
  return (
    <Select
      label="Name"
      description={description}
      data={found.map((one) => ({ value: nameOf(one), label: one.userName ?? one.displayName ?? nameOf(one) }))}
      value={value || null}
      onChange={(name) => onChange(name ?? '')}
      searchable
      clearable={empty !== undefined}
      clearButtonProps={{ 'aria-label': empty ?? '' }}
    />
  );
}
