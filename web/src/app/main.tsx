import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import '@/app/styles.css';

import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { setNonce } from 'get-nonce';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from '@/app/app';
import { queries } from '@/app/queries';
import { contrast, theme } from '@/app/theme';

const nonce = document.querySelector<HTMLMetaElement>('meta[name=openfm-nonce]')?.content ?? '';
setNonce(nonce); // for the styles that dialogs add while they are open

const root = document.getElementById('root');
if (!root) throw new Error('The document has no #root.');
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={contrast} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queries}>
        <Notifications position="top-right" />
        <App />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
