// The page's address.
import { signal } from '@preact/signals';

export type Route = { page: 'chat'; id: string | null } | { page: 'library' } | { page: 'live' };

export function routeOf(path: string): Route {
  const id = /^\/c\/([A-Za-z0-9_-]{8,64})$/.exec(path)?.[1];
  if (id) return { page: 'chat', id };
  if (path === '/library') return { page: 'library' };
  if (path === '/live') return { page: 'live' };
  return { page: 'chat', id: null };
}

export const route = signal<Route>(routeOf(location.pathname));

addEventListener('popstate', () => {
  route.value = routeOf(location.pathname);
});

export function navigate(path: string, replace = false): void {
  if (path !== location.pathname) history[replace ? 'replaceState' : 'pushState'](null, '', path);
  route.value = routeOf(path);
}
