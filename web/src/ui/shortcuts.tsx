// The page's keys, and the list of them.
import { useEffect } from 'preact/hooks';
import { t } from '../i18n';
import { runningAnswer, stop } from '../state/conversation';
import { composerField } from './composer';
import { Dialog } from './controls';
import { searchField, startNew } from './sidebar';
import { shortcutsOpen, sidebarOpen } from './sidebar_state';

function inField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function focusSearch(): void {
  sidebarOpen.value = true;
  requestAnimationFrame(() => searchField.current?.focus());
}

function onKeyDown(event: KeyboardEvent): void {
  if (event.isComposing || event.defaultPrevented || document.querySelector('dialog[open]')) return;
  const command = event.ctrlKey || event.metaKey;
  const actions: [boolean, () => void][] = [
    [command && event.key.toLowerCase() === 'k', focusSearch],
    [command && event.shiftKey && event.key.toLowerCase() === 'o', startNew],
    [event.key === 'Escape' && runningAnswer.value !== null, () => runningAnswer.value && void stop(runningAnswer.value.id)],
    [event.key === '/' && !command && !inField(event.target), () => composerField.current?.focus()],
    [event.key === '?' && !command && !inField(event.target), () => (shortcutsOpen.value = true)],
  ];
  const action = actions.find(([matches]) => matches)?.[1];
  if (!action) return;
  event.preventDefault();
  action();
}

export function useShortcuts(): void {
  useEffect(() => {
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, []);
}

export function ShortcutsDialog() {
  if (!shortcutsOpen.value) return null;
  const command = navigator.platform.startsWith('Mac') ? '⌘' : 'Ctrl';
  const keys: [string, string][] = [
    ['Enter', t('shortcutSend')],
    ['Shift + Enter', t('shortcutLine')],
    ['Esc', t('shortcutStop')],
    ['/', t('shortcutFocus')],
    ['↑', t('shortcutEdit')],
    [`${command} + K`, t('shortcutSearch')],
    [`${command} + Shift + O`, t('shortcutNew')],
    ['?', t('shortcutHelp')],
  ];
  return (
    <Dialog title={t('shortcuts')} onClose={() => (shortcutsOpen.value = false)}>
      <dl class="keys">
        {keys.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
