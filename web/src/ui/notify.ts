import { notifications } from '@mantine/notifications';

/** Say that something worked. */
export function told(message: string): void {
  notifications.show({ message, color: 'teal', autoClose: 4000, closeButtonProps: { 'aria-label': 'Close' } });
}

/** Say why something was not done; it stays until somebody has read it. */
export function refused(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  notifications.show({ message, color: 'red', autoClose: false, closeButtonProps: { 'aria-label': 'Close' } });
}
