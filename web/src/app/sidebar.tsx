import { NavLink } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import { isBelow, type PageLink } from '@/app/links';

/** The links to the pages; beside them on wide screens, in a drawer on narrow ones. */
export function Sidebar({ links, pathname, onFollow }: { links: readonly PageLink[]; pathname: string; onFollow?: () => void }) {
  return links.map(({ to, label, icon: Icon }) => (
    <NavLink
      key={to}
      component={Link}
      to={to}
      label={label}
      className="nav-link"
      leftSection={<Icon size={18} aria-hidden />}
      active={isBelow(to, pathname)}
      aria-current={isBelow(to, pathname) ? 'page' : undefined}
      onClick={onFollow}
    />
  ));
}
