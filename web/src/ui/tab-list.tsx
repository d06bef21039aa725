import { Tabs } from '@mantine/core';
import { useEffect, useRef } from 'react';

/** The tabs of a page in one line. On a narrow screen it scrolls, and the chosen one is in sight. */
export function TabList({ tabs, chosen }: { tabs: readonly (readonly [string, string])[]; chosen: string }) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ inline: 'center', block: 'nearest' });
  }, [chosen]);
  return (
    <Tabs.List ref={list} mb="md" style={{ flexWrap: 'nowrap', overflowX: 'auto', overflowY: 'hidden' }}>
      {tabs.map(([key, label]) => (
        <Tabs.Tab key={key} value={key}>
          {label}
        </Tabs.Tab>
      ))}
    </Tabs.List>
  );
}
