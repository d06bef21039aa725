import { ActionIcon, Alert, AppShell, Burger, Group, Menu, NavLink, Text, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import {
  IconChartBar,
  IconCube,
  IconKey,
  IconLogout,
  IconMessages,
  IconMoon,
  IconPlugConnectedX,
  IconServer,
  IconSettings,
  IconSun,
  IconUser,
  IconUsers,
} from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ErrorComponentProps, Link, Outlet, useRouterState } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';

import { useUser } from '@/api/user';
import { session } from '@/api/session';
import { apiRoot } from '@/lib/base';
import { Empty, ErrorPanel } from '@/ui/feedback';
import { Page } from '@/ui/page';

const LINKS = [
  { to: '/endpoints', label: 'Serving endpoints', icon: IconServer },
  { to: '/playground', label: 'Playground', icon: IconMessages },
  { to: '/models', label: 'Models', icon: IconCube },
  { to: '/usage', label: 'Usage', icon: IconChartBar },
  { to: '/tokens', label: 'Access tokens', icon: IconKey },
] as const;
const ADMIN_LINKS = [
  { to: '/people', label: 'Users and groups', icon: IconUsers },
  { to: '/settings', label: 'Settings', icon: IconSettings },
] as const;

export function Shell() {
  const [opened, { toggle, close }] = useDisclosure();
  const user = useUser();
  const pathname = useRouterState({ select: (state) => state.location.pathname });
  useFocusOnNavigation(pathname);
  const links = user.is_admin ? [...LINKS, ...ADMIN_LINKS] : LINKS;
  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 216, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding="lg">
      <AppShell.Header>
        <a href="#main" className="skip" onClick={focusMain}>
          Skip to the content
        </a>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Menu" aria-expanded={opened} />
            <img src="./icon.svg" alt="" width={24} height={24} />
            <Text fw={700}>openfm</Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <SchemeSwitch />
            <UserMenu name={user.name} />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Main">
        {links.map(({ to, label, icon: Icon }) => (
          <NavLink
            key={to}
            component={Link}
            to={to}
            label={label}
            className="nav-link"
            leftSection={<Icon size={18} aria-hidden />}
            active={pathname === to || pathname.startsWith(`${to}/`) || (to === '/endpoints' && pathname === '/create-endpoint')}
            onClick={close}
          />
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1}>
        <ConnectionNotice />
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}

const focusMain = (event: React.MouseEvent): void => {
  event.preventDefault(); // with <base>, a bare fragment would load the pages' root
  document.getElementById('main')?.focus();
};

/** A screen reader hears the new page's heading, and Tab goes on from there. */
function useFocusOnNavigation(pathname: string): void {
  const last = useRef(pathname);
  useEffect(() => {
    if (last.current === pathname) return;
    last.current = pathname;
    window.scrollTo(0, 0);
    const timer = setTimeout(() => document.getElementById('page-title')?.focus({ preventScroll: true }), 50);
    return () => clearTimeout(timer);
  }, [pathname]);
}

function SchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <ActionIcon variant="subtle" color="gray" size="lg" onClick={() => setColorScheme(other)} aria-label={`Use ${other} colours`}>
      {scheme === 'dark' ? <IconSun size={18} /> : <IconMoon size={18} />}
    </ActionIcon>
  );
}

function UserMenu({ name }: { name: string }) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Signed in as ${name}`}>
          <IconUser size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{name}</Menu.Label>
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void session.signOut()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

const ALIVE_MS = 10_000;
const GONE_MS = 2_000;

/** Says that the server is gone, and asks for everything again once it is back. */
function ConnectionNotice() {
  const client = useQueryClient();
  const alive = useQuery({
    queryKey: ['alive'],
    queryFn: async ({ signal }) => {
      try {
        return (await fetch(new URL('health/live', apiRoot()), { signal, cache: 'no-store' })).ok;
      } catch {
        return false;
      }
    },
    refetchInterval: (query) => (query.state.data === false ? GONE_MS : ALIVE_MS),
  });
  const isGone = alive.data === false;
  const wasGone = useRef(false);
  useEffect(() => {
    if (wasGone.current && !isGone) void client.invalidateQueries();
    wasGone.current = isGone;
  }, [isGone, client]);
  if (!isGone) return null;
  return (
    <Alert color="yellow" icon={<IconPlugConnectedX aria-hidden />} mb="md" role="status" title="The server cannot be reached">
      What you see may be out of date. This page tries again by itself and goes on as soon as the server answers.
    </Alert>
  );
}

export function NotFound() {
  return (
    <Page title="There is no such page">
      <Empty title="Nothing is here">Choose one of the pages on the left.</Empty>
    </Page>
  );
}

export function PageFailed({ error, reset }: ErrorComponentProps) {
  return (
    <Page title="This page failed">
      <ErrorPanel error={error} onRetry={reset} />
    </Page>
  );
}
