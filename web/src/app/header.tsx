import { ActionIcon, Badge, Button, Group, Kbd, type MantineColorScheme, Menu, Text, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { IconCheck, IconDeviceDesktop, IconLogout, IconMoon, IconSearch, IconSun, IconUser } from '@tabler/icons-react';

import { session, type User } from '@/api/session';

const SCHEMES: { value: MantineColorScheme; label: string; icon: typeof IconSun }[] = [
  { value: 'light', label: 'Light', icon: IconSun },
  { value: 'dark', label: 'Dark', icon: IconMoon },
  { value: 'auto', label: 'As the system', icon: IconDeviceDesktop },
];

export function SchemeMenu() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const shown = useComputedColorScheme('light', { getInitialValueInEffect: false });
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Colours">
          {shown === 'dark' ? <IconMoon size={18} /> : <IconSun size={18} />}
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {SCHEMES.map(({ value, label, icon: Icon }) => (
          <Menu.Item
            key={value}
            role="menuitemradio"
            aria-checked={colorScheme === value}
            leftSection={<Icon size={16} aria-hidden />}
            rightSection={colorScheme === value && <IconCheck size={14} aria-hidden />}
            onClick={() => setColorScheme(value)}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

export function UserMenu({ user }: { user: User }) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Signed in as ${user.name}`}>
          <IconUser size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown maw={300}>
        <Menu.Label>
          <Group gap="xs" justify="space-between" wrap="nowrap">
            <Text size="sm" className="breaks">
              {user.name}
            </Text>
            {user.is_admin && (
              <Badge variant="light" className="badge" size="sm">
                Admin
              </Badge>
            )}
          </Group>
        </Menu.Label>
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void session.signOut()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

const MOD = navigator.userAgent.includes('Mac') ? '⌘' : 'Ctrl';

/** Opens the palette; on a phone only its icon has room. */
export function GoToButton({ onClick }: { onClick: () => void }) {
  return (
    <>
      <Button
        visibleFrom="sm"
        variant="default"
        size="xs"
        c="dimmed"
        leftSection={<IconSearch size={14} aria-hidden />}
        rightSection={
          <span aria-hidden>
            <Kbd size="xs">{MOD}</Kbd> <Kbd size="xs">K</Kbd>
          </span>
        }
        onClick={onClick}
      >
        Go to…
      </Button>
      <ActionIcon hiddenFrom="sm" variant="subtle" color="gray" size="lg" onClick={onClick} aria-label="Go to…">
        <IconSearch size={18} />
      </ActionIcon>
    </>
  );
}
