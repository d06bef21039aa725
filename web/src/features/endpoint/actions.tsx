import { Button, Menu } from '@mantine/core';
import { IconDots, IconMessages, IconPencil, IconTerminal2 } from '@tabler/icons-react';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import { type Endpoint, isOwn } from '@/api/endpoints';
import { playgroundOf } from '@/lib/model';
import { type Asked, EndpointDialog } from '@/parts/endpoint-dialogs';

const mayQuery = (endpoint: Endpoint): boolean => endpoint.permission_level !== 'CAN_VIEW';

/** What can be done with the endpoint of the page. */
export function Actions({ endpoint }: { endpoint: Endpoint }) {
  const [asks, setAsks] = useState<Asked | null>(null);
  const navigate = useNavigate();
  const params = { name: endpoint.name };
  return (
    <>
      {mayQuery(endpoint) && (
        <>
          <Button leftSection={<IconMessages size={16} aria-hidden />} renderRoot={(props) => <Link to="/playground" search={playgroundOf(endpoint)} {...props} />}>
            Open in Playground
          </Button>
          <Button variant="default" leftSection={<IconTerminal2 size={16} aria-hidden />} renderRoot={(props) => <Link to="/endpoints/$name" params={params} search={{ tab: 'query' }} {...props} />}>
            Query
          </Button>
        </>
      )}
      {isOwn(endpoint) && (
        <Button variant="default" leftSection={<IconPencil size={16} aria-hidden />} renderRoot={(props) => <Link to="/endpoints/$name/edit" params={params} {...props} />}>
          Edit
        </Button>
      )}
      <More endpoint={endpoint} ask={setAsks} />
      {asks && <EndpointDialog endpoint={endpoint} asked={asks} onClose={() => setAsks(null)} onDeleted={() => navigate({ to: '/endpoints' })} />}
    </>
  );
}

function More({ endpoint, ask }: { endpoint: Endpoint; ask: (asked: Asked) => void }) {
  const isStopped = endpoint.state.suspend === 'STOPPED';
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <Button variant="default" px="xs" aria-label="More actions">
          <IconDots size={16} />
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item renderRoot={(props) => <Link to="/create-endpoint" search={{ from: endpoint.name }} {...props} />}>Clone</Menu.Item>
        {isOwn(endpoint) && (
          <>
            <Menu.Item renderRoot={(props) => <Link to="/endpoints/$name" params={{ name: endpoint.name }} search={{ tab: 'permissions' }} {...props} />}>Permissions</Menu.Item>
            {endpoint.state.config_update === 'IN_PROGRESS' && <Menu.Item onClick={() => ask('cancel')}>Cancel the update</Menu.Item>}
            <Menu.Item onClick={() => ask(isStopped ? 'start' : 'stop')}>{isStopped ? 'Start' : 'Stop'}</Menu.Item>
            <Menu.Item color="red" onClick={() => ask('delete')}>
              Delete
            </Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
