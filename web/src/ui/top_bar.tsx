import { t } from '../i18n';
import { title } from '../state/conversation';
import { route } from '../state/router';
import { changeSettings, info, model } from '../state/site';
import { IconButton } from './controls';
import { startNew } from './sidebar';
import { sidebarOpen } from './sidebar_state';

function ModelChoice() {
  const models = info.value?.models ?? [];
  if (models.length === 0) return <span class="quiet">{t('noModel')}</span>;
  return (
    <select class="model" aria-label={t('model')} value={model.value?.name} onChange={(event) => void changeSettings({ model: event.currentTarget.value })}>
      {models.map((m) => (
        <option key={m.name} value={m.name}>
          {m.name}
        </option>
      ))}
    </select>
  );
}

function heading(): string {
  switch (route.value.page) {
    case 'library':
      return t('libraryTitle');
    case 'live':
      return t('liveTitle');
    case 'chat':
      return title.value;
  }
}

export function TopBar() {
  return (
    <header class="top-bar">
      <IconButton icon="menu" class="narrow-only" label={t('openMenu')} expanded={sidebarOpen.value} onClick={() => (sidebarOpen.value = true)} />
      {heading() ? <h1 class="top-title">{heading()}</h1> : <span class="top-title" />}
      <ModelChoice />
      <IconButton icon="plus" class="narrow-only" label={t('newChat')} onClick={startNew} />
    </header>
  );
}
