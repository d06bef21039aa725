import { Select } from '@mantine/core';

import type { Endpoint } from '@/api/endpoints';

type SelectProps = { endpoints: readonly Endpoint[]; value: string; onChange: (name: string) => void };

export const EndpointSelect = ({ endpoints, value, onChange }: SelectProps) => (
  <Select
    label="Endpoint"
    data={endpoints.map((one) => one.name)}
    value={value}
    onChange={(name) => onChange(name ?? value)}
    searchable
    allowDeselect={false}
    nothingFoundMessage="No such endpoint is called so"
    style={{ flexGrow: 1, maxWidth: 480 }}
  />
);

/** The endpoint that somebody asked for, else the first that is ready. */
export const firstOf = (endpoints: readonly Endpoint[], asked: string | undefined): string =>
  (endpoints.find((one) => one.name === asked) ?? endpoints.find((one) => one.state.ready === 'READY') ?? endpoints[0])?.name ?? '';
