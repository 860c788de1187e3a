import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { query, search } from '../state/history';
import { navigate, route } from '../state/router';
import { composerField } from './composer';
import { IconButton } from './controls';
import { HistoryList } from './history_list';
import { Icon, type IconName } from './icons';
import { settingsOpen, sidebarOpen } from './sidebar_state';

export const searchField: { current: HTMLInputElement | null } = { current: null };

export function startNew(): void {
  sidebarOpen.value = false;
  navigate('/');
  composerField.current?.focus();
}

function PageLink({ page, icon, label }: { page: 'library' | 'live'; icon: IconName; label: string }) {
  return (
    <a
      class="side-link"
      href={`/${page}`}
      aria-current={route.value.page === page ? 'page' : undefined}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        sidebarOpen.value = false;
        navigate(`/${page}`);
      }}
    >
      <Icon name={icon} />
      {label}
    </a>
  );
}

export function Brand() {
  return (
    <span class="brand" role="img" aria-label="r1">
      <span class="brand-letter">r</span>
      <span class="brand-index">1</span>
    </span>
  );
}

export function Sidebar() {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    searchField.current = field.current;
  }, []);
  return (
    <>
      <aside class={`sidebar ${sidebarOpen.value ? 'sidebar-open' : ''}`}>
        <header>
          <Brand />
          <IconButton icon="close" class="narrow-only" label={t('closeMenu')} onClick={() => (sidebarOpen.value = false)} />
        </header>
        <button type="button" class="button new-chat" onClick={startNew}>
          <Icon name="plus" />
          {t('newChat')}
        </button>
        <label class="search-field">
          <Icon name="search" />
          <input
            ref={field}
            type="search"
            aria-label={t('searchHistory')}
            placeholder={t('searchHistory')}
            value={query.value}
            onInput={(event) => search(event.currentTarget.value)}
            onKeyDown={(event) => event.key === 'Escape' && query.value !== '' && (event.stopPropagation(), search(''))}
          />
        </label>
        <HistoryList />
        <footer>
          <PageLink page="library" icon="book" label={t('library')} />
          <PageLink page="live" icon="pulse" label={t('live')} />
          <button type="button" class="side-link" onClick={() => (settingsOpen.value = true)}>
            <Icon name="sliders" />
            {t('settings')}
          </button>
        </footer>
      </aside>
      {sidebarOpen.value && <div class="shade" onClick={() => (sidebarOpen.value = false)} />}
    </>
  );
}
