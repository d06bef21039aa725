import { IconChartBar, IconCube, IconHelpCircle, IconKey, IconMessages, IconServer, IconSettings, IconUsers, type TablerIcon } from '@tabler/icons-react';

type To = '/endpoints' | '/playground' | '/models' | '/usage' | '/tokens' | '/people' | '/settings' | '/help';
export type PageLink = { to: To; label: string; icon: TablerIcon; isForAdmins?: true };

const LINKS: readonly PageLink[] = [
  { to: '/endpoints', label: 'Serving endpoints', icon: IconServer },
  { to: '/playground', label: 'Playground', icon: IconMessages },
  { to: '/models', label: 'Models', icon: IconCube },
  { to: '/usage', label: 'Usage', icon: IconChartBar },
  { to: '/tokens', label: 'Access tokens', icon: IconKey },
  { to: '/people', label: 'Users and groups', icon: IconUsers, isForAdmins: true },
  { to: '/settings', label: 'Settings', icon: IconSettings, isForAdmins: true },
  { to: '/help', label: 'Help', icon: IconHelpCircle },
];

/** The pages that somebody is offered. */
export const linksFor = (user: { is_admin: boolean }): readonly PageLink[] => LINKS.filter((link) => user.is_admin || !link.isForAdmins);

/** Whether the page at `pathname` is below this link. */
export const isBelow = (to: string, pathname: string): boolean =>
  pathname === to || pathname.startsWith(`${to}/`) || (to === '/endpoints' && pathname === '/create-endpoint');
