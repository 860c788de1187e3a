import { useEffect, useLayoutEffect } from 'preact/hooks';
import { t } from '../i18n';
import { openConversation, title } from '../state/conversation';
import { openDraft } from '../state/draft';
import { refreshHistory } from '../state/history';
import { announcement, attempt, dismissNotice, notice } from '../state/notices';
import { route } from '../state/router';
import { info, loadSite, signInNeeded } from '../state/site';
import { ConversationView } from './conversation_view';
import { FileDialog } from './file_dialog';
import { IconButton } from './controls';
import { LibraryPage } from './library_page';
import { LivePage } from './live_page';
import { SettingsDialog } from './settings_dialog';
import { ShortcutsDialog, useShortcuts } from './shortcuts';
import { Sidebar } from './sidebar';
import { SignIn } from './sign_in';
import { hideSources, SourcesPanel } from './sources_panel';
import { TopBar } from './top_bar';

const RETRY_MS = 3000;

async function start(): Promise<void> {
  await attempt(loadSite);
  if (!info.value) setTimeout(() => void start(), RETRY_MS);
  else if (!signInNeeded.value) await refreshHistory();
}

function Page() {
  switch (route.value.page) {
    case 'library':
      return <LibraryPage />;
    case 'live':
      return <LivePage />;
    case 'chat':
      return (
        <div class="chat">
          <ConversationView />
          <SourcesPanel />
        </div>
      );
  }
}

function Notice() {
  return (
    <div class="notices" role="status">
      {notice.value && (
        <div class="notice">
          <span>{notice.value}</span>
          <IconButton icon="close" label={t('dismiss')} onClick={dismissNotice} />
        </div>
      )}
    </div>
  );
}

export function App() {
  useShortcuts();
  useEffect(() => void start(), []);
  const ready = info.value !== null && !signInNeeded.value;
  const chatId = route.value.page === 'chat' ? route.value.id : undefined;
  // Before anything can be typed or attached, which would be lost.
  useLayoutEffect(() => {
    if (chatId !== undefined) openDraft(chatId);
  }, [chatId]);
  useEffect(() => {
    if (!ready || chatId === undefined) return;
    hideSources();
    void openConversation(chatId);
  }, [ready, chatId]);
  useEffect(() => {
    document.title = route.value.page === 'chat' && title.value ? `${title.value} · r1` : 'r1';
  }, [route.value, title.value]);

  return (
    <>
      {signInNeeded.value ? (
        <SignIn />
      ) : (
        <div class="app">
          {route.value.page === 'chat' && (
            <a class="skip" href="#composer">
              {t('skipToComposer')}
            </a>
          )}
          <Sidebar />
          <div class="column">
            <TopBar />
            <Page />
          </div>
          <SettingsDialog />
          <ShortcutsDialog />
          <FileDialog />
        </div>
      )}
      <Notice />
      <div class="visually-hidden" aria-live="polite">
        {announcement.value}
      </div>
    </>
  );
}
