import { Anchor, Button, Paper, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { type ReactNode, useState } from 'react';

import { session } from '@/api/session';
import { ErrorPanel } from '@/ui/feedback';

/** One field: paste a token, Enter. */
export function SignInForm({ intro }: { intro: ReactNode }) {
  const [token, setToken] = useState('');
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await session.signIn(token.trim());
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <Stack>
        <Text size="sm" component="div">
          {intro}
        </Text>
        <PasswordInput
          label="Access token"
          placeholder="dapi…"
          value={token}
          onChange={(event) => setToken(event.currentTarget.value)}
          autoComplete="current-password"
          visibilityToggleButtonProps={{ 'aria-label': 'Show the token' }}
          data-autofocus
          // eslint-disable-next-line jsx-a11y/no-autofocus -- the page's only field
          autoFocus
          required
          withAsterisk={false}
        />
        {error !== null && <ErrorPanel error={error} title="Not signed in" />}
        <Button type="submit" loading={busy}>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}

export function SignInPage() {
  return (
    <main className="sign-in">
      <Paper withBorder p="xl" radius="md" w={420} maw="100%" shadow="sm">
        <Title order={1} size="h2" mb="xs">
          openfm
        </Title>
        <SignInForm
          intro={
            <>
              Sign in with an access token. The admin&apos;s was shown when the server first started and is kept in its home
              folder, in the file <code>admin-token</code>; everybody else gets one from an admin.
            </>
          }
        />
        <Text size="xs" c="dimmed" mt="md">
          Models behind serving endpoints, on your own hardware.{' '}
          <Anchor href="../api/openapi.json" size="xs" underline="always">
            The API
          </Anchor>
        </Text>
      </Paper>
    </main>
  );
}
