import { Text } from '@mantine/core';
import type { ReactNode } from 'react';

/** Names and values. */
export function Fields({ fields }: { fields: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="fields">
      {fields.map(([name, value]) => (
        <div key={name}>
          <Text component="dt" size="xs" c="dimmed">
            {name}
          </Text>
          <Text component="dd" size="sm" className="breaks">
            {value}
          </Text>
        </div>
      ))}
    </dl>
  );
}
