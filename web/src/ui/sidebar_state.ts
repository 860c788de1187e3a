import { signal } from '@preact/signals';

/** On narrow screens the sidebar lies over the page. */
export const sidebarOpen = signal(false);
export const settingsOpen = signal(false);
export const shortcutsOpen = signal(false);
