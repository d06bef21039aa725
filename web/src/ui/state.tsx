import { Badge } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck, IconLoader, IconPlayerStop, type TablerIcon } from '@tabler/icons-react';

type EndpointState = { ready: string; config_update: string; suspend?: string | null };
type Shown = { words: string; color: string; icon: TablerIcon; turns?: boolean };

/** The endpoint's state in the words that Databricks' pages use: one that answers while it is updated is ready. */
export function stateOf(state: EndpointState): Shown {
  if (state.suspend === 'STOPPED') return { words: 'Not ready (Stopped)', color: 'gray', icon: IconPlayerStop };
  const failed = state.config_update === 'UPDATE_FAILED';
  if (state.ready === 'READY') {
    if (failed) return { words: 'Ready (Update failed)', color: 'yellow', icon: IconAlertTriangle };
    return { words: 'Ready', color: 'teal', icon: IconCircleCheck };
  }
  if (failed) return { words: 'Not ready (Update failed)', color: 'red', icon: IconAlertTriangle };
  return { words: 'Not ready (Updating)', color: 'blue', icon: IconLoader, turns: true };
}

export function StateBadge({ state }: { state: EndpointState }) {
  const { words, color, icon: Icon, turns } = stateOf(state);
  return (
    <Badge color={color} variant="light" leftSection={<Icon size={13} aria-hidden className={turns ? 'turns' : ''} />} className="badge">
      {words}
    </Badge>
  );
}

const DEPLOYMENTS: Record<string, Shown> = {
  DEPLOYMENT_READY: { words: 'Ready', color: 'teal', icon: IconCircleCheck },
  DEPLOYMENT_CREATING: { words: 'Starting', color: 'blue', icon: IconLoader, turns: true },
  DEPLOYMENT_RECOVERING: { words: 'Recovering', color: 'yellow', icon: IconLoader, turns: true },
  DEPLOYMENT_FAILED: { words: 'Failed', color: 'red', icon: IconAlertTriangle },
  DEPLOYMENT_ABORTED: { words: 'Not running', color: 'gray', icon: IconPlayerStop },
};

export function DeploymentBadge({ deployment }: { deployment: string }) {
  const shown = DEPLOYMENTS[deployment] ?? { words: deployment, color: 'gray', icon: IconAlertTriangle };
  return (
    <Badge
      color={shown.color}
      variant="light"
      leftSection={<shown.icon size={13} aria-hidden className={shown.turns ? 'turns' : ''} />}
      className="badge"
    >
      {shown.words}
    </Badge>
  );
}
