import { Button, Tabs } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { allTokensQuery, myTokensQuery } from '@/api/people';
import { useUser } from '@/api/user';
import { TokenDialog } from '@/features/access/token-dialog';
import { TokenTable } from '@/features/access/token-table';
import { Empty, Loaded } from '@/ui/feedback';
import { Page } from '@/ui/page';

export function TokensPage() {
  const user = useUser();
  const [creates, setCreates] = useState(false);
  const create = (
    <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setCreates(true)}>
      Create a token
    </Button>
  );
  return (
    <Page title="Access tokens" subtitle="Programs call endpoints with an access token. It stands for its owner, with all the owner’s permissions." actions={create}>
      {user.is_admin ? (
        <Tabs defaultValue="own" keepMounted={false}>
          <Tabs.List mb="md">
            <Tabs.Tab value="own">Yours</Tabs.Tab>
            <Tabs.Tab value="all">Everybody’s</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="own">
            <OwnTokens />
          </Tabs.Panel>
          <Tabs.Panel value="all">
            <AllTokens />
          </Tabs.Panel>
        </Tabs>
      ) : (
        <OwnTokens />
      )}
      {creates && <TokenDialog onClose={() => setCreates(false)} />}
    </Page>
  );
}

function OwnTokens() {
  const query = useQuery(myTokensQuery);
  return (
    <Loaded query={query}>
      {(tokens) =>
        tokens.length === 0 ? (
          <Empty title="You have no tokens yet">
            Create one for each program that calls an endpoint, so that each can be revoked by itself.
          </Empty>
        ) : (
          <TokenTable tokens={tokens} whose="own" />
        )
      }
    </Loaded>
  );
}

function AllTokens() {
  const query = useQuery(allTokensQuery);
  return <Loaded query={query}>{(tokens) => (tokens.length === 0 ? <Empty title="Nobody has a token yet">The one that the server made at its first start is not among them.</Empty> : <TokenTable tokens={tokens} whose="all" />)}</Loaded>;
}
