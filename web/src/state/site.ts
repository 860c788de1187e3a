// What the server says about itself, and the owner's settings.
import { computed, effect, signal } from '@preact/signals';
import { api, signInRefusals } from '../api/client';
import type { Settings, SiteInfo } from '../api/types';
import { browserLanguage, language } from '../i18n';
import { attempt } from './notices';

const DEFAULTS: Settings = {
  language: null, theme: null, model: null, deep_think: true, search: false, search_provider: null, system_prompt: '',
  temperature: null, top_p: null, max_tokens: null, thinking_budget: null,
};
const REMEMBERED = 'r1-appearance'; // language and theme, so that the next visit begins in them

function remembered(): Partial<Settings> {
  try {
    const { language: lang, theme } = JSON.parse(localStorage.getItem(REMEMBERED) ?? '{}') as Partial<Settings>;
    return { language: lang === 'en' || lang === 'zh' ? lang : null, theme: theme === 'light' || theme === 'dark' ? theme : null };
  } catch {
    return {};
  }
}

export const info = signal<SiteInfo | null>(null);
export const settings = signal<Settings>({ ...DEFAULTS, ...remembered() });
export const signInNeeded = computed(() => info.value?.sign_in === 'required');

export const model = computed(() => {
  const models = info.value?.models ?? [];
  return models.find((m) => m.name === settings.value.model) ?? models.find((m) => m.default) ?? models[0] ?? null;
});

/** The search provider that a question would use, or why there is none. */
export const searchProvider = computed(() => {
  const all = info.value?.search ?? [];
  const chosen = all.find((p) => p.name === settings.value.search_provider) ?? all.find((p) => p.ready) ?? all[0];
  return chosen ?? { name: '', ready: false, reason: '' };
});

export const systemDark = matchMedia('(prefers-color-scheme: dark)');
const systemTheme = signal<'light' | 'dark'>(systemDark.matches ? 'dark' : 'light');
systemDark.addEventListener('change', () => {
  systemTheme.value = systemDark.matches ? 'dark' : 'light';
});
export const theme = computed(() => settings.value.theme ?? systemTheme.value);

effect(() => {
  language.value = settings.value.language ?? browserLanguage();
  document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en';
});
effect(() => {
  document.documentElement.dataset.theme = theme.value;
  localStorage.setItem(REMEMBERED, JSON.stringify({ language: settings.value.language, theme: settings.value.theme }));
});

export async function loadSite(): Promise<void> {
  const [now, own] = await Promise.all([api.info(), api.settings().catch(() => null)]); // refused before the sign-in
  if (own) settings.value = own;
  info.value = now;
}

effect(() => {
  if (signInRefusals.value > 0) void attempt(api.info).then((now) => now && (info.value = now));
});

export function changeSettings(change: Partial<Settings>): Promise<Settings | null> {
  settings.value = { ...settings.value, ...change };
  return attempt(() => api.changeSettings(change));
}
