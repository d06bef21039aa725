import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';

import { NotFound, PageFailed } from '@/app/fallbacks';
import { Shell } from '@/app/shell';
import { pagesRoot } from '@/lib/base';

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound, errorComponent: PageFailed });
type Search<Name extends string> = { [name in Name]?: string | undefined };
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

const home = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: () => {
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- the router's way
    throw redirect({ to: '/endpoints' });
  },
});

const endpoints = createRoute({
  getParentRoute: () => root,
  path: '/endpoints',
  validateSearch: (given: Record<string, unknown>): Search<'q' | 'state' | 'task' | 'type'> & { mine?: true | undefined } => ({
    q: text(given.q),
    state: text(given.state),
    task: text(given.task),
    type: text(given.type),
    mine: given.mine === true ? true : undefined,
  }),
  component: lazyRouteComponent(() => import('@/features/endpoints/list'), 'EndpointsPage'),
});

const create = createRoute({
  getParentRoute: () => root,
  path: '/create-endpoint',
  validateSearch: (given: Record<string, unknown>): Search<'model' | 'version' | 'from'> => ({ model: text(given.model), version: text(given.version), from: text(given.from) }),
  component: lazyRouteComponent(() => import('@/features/endpoints/form-page'), 'CreateEndpointPage'),
});

const edit = createRoute({
  getParentRoute: () => root,
  path: '/endpoints/$name/edit',
  component: lazyRouteComponent(() => import('@/features/endpoints/form-page'), 'EditEndpointPage'),
});

const endpoint = createRoute({
  getParentRoute: () => root,
  path: '/endpoints/$name',
  validateSearch: (given: Record<string, unknown>): Search<'tab'> => ({ tab: text(given.tab) }),
  component: lazyRouteComponent(() => import('@/features/endpoint/page'), 'EndpointPage'),
});

const playground = createRoute({
  getParentRoute: () => root,
  path: '/playground',
  validateSearch: (given: Record<string, unknown>): Search<'s' | 'endpoint' | 'replay' | 'mode'> => ({ s: text(given.s), endpoint: text(given.endpoint), replay: text(given.replay), mode: text(given.mode) }),
  component: lazyRouteComponent(() => import('@/features/playground/page'), 'PlaygroundPage'),
});

const models = createRoute({
  getParentRoute: () => root,
  path: '/models',
  validateSearch: (given: Record<string, unknown>): Search<'tab' | 'import'> => ({ tab: text(given.tab), import: text(given.import) }),
  component: lazyRouteComponent(() => import('@/features/models/list'), 'ModelsPage'),
});

const model = createRoute({
  getParentRoute: () => root,
  path: '/models/$name',
  component: lazyRouteComponent(() => import('@/features/models/model'), 'ModelPage'),
});

const USAGE_SEARCH = ['tab', 'range', 'unit', 'by', 'endpoint', 'user', 'token', 'tag', 'status'] as const;
const usage = createRoute({
  getParentRoute: () => root,
  path: '/usage',
  validateSearch: (given: Record<string, unknown>): Search<(typeof USAGE_SEARCH)[number]> => Object.fromEntries(USAGE_SEARCH.map((name) => [name, text(given[name])])),
  component: lazyRouteComponent(() => import('@/features/usage/page'), 'UsagePage'),
});

const tokens = createRoute({
  getParentRoute: () => root,
  path: '/tokens',
  component: lazyRouteComponent(() => import('@/features/access/tokens'), 'TokensPage'),
});

const people = createRoute({
  getParentRoute: () => root,
  path: '/people',
  validateSearch: (given: Record<string, unknown>): Search<'tab'> => ({ tab: text(given.tab) }),
  component: lazyRouteComponent(() => import('@/features/access/people'), 'PeoplePage'),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  validateSearch: (given: Record<string, unknown>): Search<'tab'> => ({ tab: text(given.tab) }),
  component: lazyRouteComponent(() => import('@/features/settings/page'), 'SettingsPage'),
});

const help = createRoute({
  getParentRoute: () => root,
  path: '/help',
  validateSearch: (given: Record<string, unknown>): Search<'endpoint'> => ({ endpoint: text(given.endpoint) }),
  component: lazyRouteComponent(() => import('@/features/help/page'), 'HelpPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([home, endpoints, create, edit, endpoint, playground, models, model, usage, tokens, people, settings, help]),
  basepath: pagesRoot().pathname,
  defaultPreload: 'intent',
  defaultErrorComponent: PageFailed,
  scrollRestoration: false,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
