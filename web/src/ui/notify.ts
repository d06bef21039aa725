import { notifications } from '@mantine/notifications';

/** Say that something worked. */
export function told(message: string): void {
  notifications.show({ message, color: 'teal', autoClose: 4000, closeButtonProps: { 'aria-label': 'Close' } });
}
