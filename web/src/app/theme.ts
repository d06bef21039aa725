import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

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
    // Their <header> would count as another banner of the page.
    Modal: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' }, attributes: { header: { role: 'presentation' } } } },
    Drawer: { defaultProps: { attributes: { header: { role: 'presentation' } } } },
  },
});

const USED = ['brand', 'teal', 'yellow', 'gray', 'red', 'blue', 'green', 'orange', 'violet'];

/** Dimmed words, and words on a tint of their own colour, with the contrast that WCAG asks for (4.5 to 1). */
export const contrast: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-error': 'var(--mantine-color-red-9)',
    '--mantine-color-dimmed': 'var(--mantine-color-gray-7)',
    '--mantine-color-placeholder': 'var(--mantine-color-gray-7)',
    ...Object.fromEntries(USED.map((name) => [`--mantine-color-${name}-light-color`, `color-mix(in srgb, var(--mantine-color-${name}-9), black 30%)`])),
  },
  dark: {
    '--mantine-color-error': 'var(--mantine-color-red-3)',
    '--mantine-color-dimmed': 'var(--mantine-color-dark-1)',
    '--mantine-color-placeholder': 'var(--mantine-color-dark-1)',
    ...Object.fromEntries(USED.map((name) => [`--mantine-color-${name}-light-color`, `var(--mantine-color-${name}-2)`])),
  },
});
