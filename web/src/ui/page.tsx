import { Box, Group, Stack, Text, Title } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';

type PageProps = { title: string; subtitle?: ReactNode; actions?: ReactNode; above?: ReactNode; children: ReactNode };

/** A page: its heading, what can be done on it, and the browser's title. */
export function Page({ title, subtitle, actions, above, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · openfm`;
  }, [title]);
  return (
    <Stack gap="lg" className="page">
      <Box>
        {above}
        <Group justify="space-between" align="flex-start" gap="sm">
          <Box miw={0}>
            <Title order={1} size="h2" className="breaks" tabIndex={-1} id="page-title">
              {title}
            </Title>
            {subtitle && (
              <Text component="div" c="dimmed" size="sm" mt={2}>
                {subtitle}
              </Text>
            )}
          </Box>
          {actions && <Group gap="xs">{actions}</Group>}
        </Group>
      </Box>
      {children}
    </Stack>
  );
}
