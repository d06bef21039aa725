import { ActionIcon, Menu } from '@mantine/core';
import { IconDots } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { type Endpoint, isOwn } from '@/api/endpoints';
import { playgroundOf } from '@/lib/model';
import { type Asked, EndpointDialog } from '@/parts/endpoint-dialogs';

/** All that can be done with the endpoint of a row. */
export function RowMenu({ endpoint }: { endpoint: Endpoint }) {
  const [asks, setAsks] = useState<Asked | null>(null);
  const params = { name: endpoint.name };
  const isStopped = endpoint.state.suspend === 'STOPPED';
  return (
    <>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${endpoint.name}`}>
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item renderRoot={(props) => <Link to="/endpoints/$name" params={params} {...props} />}>Open</Menu.Item>
          <Menu.Item renderRoot={(props) => <Link to="/endpoints/$name" params={params} search={{ tab: 'query' }} {...props} />}>Query</Menu.Item>
          <Menu.Item renderRoot={(props) => <Link to="/playground" search={playgroundOf(endpoint)} {...props} />}>Open in Playground</Menu.Item>
          <Menu.Item renderRoot={(props) => <Link to="/create-endpoint" search={{ from: endpoint.name }} {...props} />}>Clone</Menu.Item>
          {isOwn(endpoint) && (
            <>
              <Menu.Item renderRoot={(props) => <Link to="/endpoints/$name/edit" params={params} {...props} />}>Edit</Menu.Item>
              <Menu.Item renderRoot={(props) => <Link to="/endpoints/$name" params={params} search={{ tab: 'permissions' }} {...props} />}>Permissions</Menu.Item>
              <Menu.Item onClick={() => setAsks(isStopped ? 'start' : 'stop')}>{isStopped ? 'Start' : 'Stop'}</Menu.Item>
              <Menu.Item color="red" onClick={() => setAsks('delete')}>
                Delete
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
      {asks && <EndpointDialog endpoint={endpoint} asked={asks} onClose={() => setAsks(null)} />}
    </>
  );
}
