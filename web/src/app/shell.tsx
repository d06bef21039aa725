import { AppShell, Burger, Drawer, Group, Text } from '@mantine/core';
import { useDisclosure, useHotkeys } from '@mantine/hooks';
import { Outlet, useRouterState } from '@tanstack/react-router';
import { useRef } from 'react';

import { useUser } from '@/api/user';
import { ConnectionNotice } from '@/app/connection';
import { focusMain, useFocusOnNavigation } from '@/app/focus';
import { GoToButton, SchemeMenu, UserMenu } from '@/app/header';
import { linksFor } from '@/app/links';
import { Palette } from '@/app/palette';
import { usePagesAhead } from '@/app/pages-ahead';
import { Sidebar } from '@/app/sidebar';

/** What is around every page. */
export function Shell() {
  const [isMenuOpen, menu] = useDisclosure();
  const [isGoing, palette] = useDisclosure();
  const burger = useRef<HTMLButtonElement>(null);
  const user = useUser();
  const pathname = useRouterState({ select: (state) => state.location.pathname });
  useFocusOnNavigation();
  usePagesAhead();
  useHotkeys([['mod+K', palette.open]], []);
  const links = linksFor(user);
  const closeMenu = (): void => {
    menu.close();
    burger.current?.focus();
  };
  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 240, breakpoint: 'sm', collapsed: { mobile: true } }} padding={{ base: 'md', sm: 'lg' }} transitionDuration={0}>
      <AppShell.Header>
        <a href="#main" className="skip" onClick={focusMain}>
          Skip to the content
        </a>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger ref={burger} opened={isMenuOpen} onClick={menu.toggle} hiddenFrom="sm" size="sm" aria-label="Menu" aria-expanded={isMenuOpen} />
            <img src="./icon.svg" alt="" width={24} height={24} />
            <Text fw={700}>openfm</Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <GoToButton onClick={palette.open} />
            <SchemeMenu />
            <UserMenu user={user} />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Main" visibleFrom="sm">
        <Sidebar links={links} pathname={pathname} />
      </AppShell.Navbar>
      <Drawer opened={isMenuOpen} onClose={closeMenu} size={264} padding="xs" title="openfm" hiddenFrom="sm" returnFocus={false} closeButtonProps={{ 'aria-label': 'Close the menu' }}>
        <nav aria-label="Main">
          <Sidebar links={links} pathname={pathname} onFollow={menu.close} />
        </nav>
      </Drawer>
      <AppShell.Main id="main" tabIndex={-1}>
        <ConnectionNotice />
        <Outlet />
      </AppShell.Main>
      {isGoing && <Palette onClose={palette.close} />}
    </AppShell>
  );
}
