import { createTheme, type MantineColorsTuple } from '@mantine/core';

const teal: MantineColorsTuple = [
  '#e3f8fb', '#cfeef3', '#a0dce6', '#6dc9d8', '#45b9cc', '#2bafc5', '#0e8aa0', '#0b7285', '#075f70', '#044d5b',
];

export const theme = createTheme({
  colors: { brand: teal },
  primaryColor: 'brand',
  primaryShade: { light: 7, dark: 7 },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'var(--mono)',
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Modal: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } },
  },
});
