// Where the question is written: text, files, and the switches under it.
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { ask, path, runningAnswer, stop } from '../state/conversation';
import { attachFiles, draft, restoreDraft, setDraftText, takeDraft } from '../state/draft';
import { changeSettings, info, model, searchProvider, settings } from '../state/site';
import { ContextMeter } from './context_meter';
import { IconButton } from './controls';
import { FileChips } from './file_chips';
import { Icon, type IconName } from './icons';
import { editing } from './question';

export const composerField: { current: HTMLTextAreaElement | null } = { current: null };
const touch = matchMedia('(pointer: coarse)');
const LARGEST_HEIGHT = 0.4; // of the window

interface SwitchProps {
  icon: IconName;
  label: string;
  hint: string;
  on: boolean;
  disabled?: boolean;
  onChange: (on: boolean) => void;
}

function Switch({ icon, label, hint, on, disabled, onChange }: SwitchProps) {
  return (
    <button type="button" class="switch" role="switch" aria-checked={on} title={hint} disabled={disabled} onClick={() => onChange(!on)}>
      <Icon name={icon} />
      {label}
    </button>
  );
}

function Switches() {
  const { deep_think, search } = settings.value;
  const provider = searchProvider.value;
  const thinking = model.value?.thinking ?? 'switchable';
  return (
    <div class="switches">
      {thinking !== 'never' && (
        <Switch icon="think" label={t('deepThink')} hint={t('deepThinkHint')} on={deep_think || thinking === 'always'} disabled={thinking === 'always'} onChange={(on) => void changeSettings({ deep_think: on })} />
      )}
      <Switch
        icon="search"
        label={t('search')}
        hint={provider.ready ? t('searchHint') : t('searchUnavailable', { reason: provider.reason ?? '' })}
        on={search && provider.ready}
        disabled={!provider.ready}
        onChange={(on) => void changeSettings({ search: on })}
      />
    </div>
  );
}

function fitHeight(field: HTMLTextAreaElement): void {
  field.style.height = 'auto';
  field.style.height = `${Math.min(field.scrollHeight, innerHeight * LARGEST_HEIGHT)}px`;
}

function editLastQuestion(): boolean {
  const last = path.value.findLast((node) => node.role === 'user');
  if (!last || runningAnswer.value) return false;
  editing.value = last.id;
  return true;
}

export function Composer({ onAsked }: { onAsked: () => void }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const sending = useRef(false);
  const { text, files } = draft.value;
  const running = runningAnswer.value;
  const uploading = files.some((f) => !f.uploaded);
  const ready = (text.trim() !== '' || files.length > 0) && !uploading && model.value !== null;

  useEffect(() => {
    composerField.current = field.current;
    if (!touch.matches) field.current?.focus();
  }, []);
  useEffect(() => {
    if (field.current && !CSS.supports('field-sizing', 'content')) fitHeight(field.current);
  }, [text]);

  async function send() {
    if (!ready || running || sending.current) return;
    sending.current = true;
    const taken = takeDraft();
    const asked = ask(taken.text, taken.files.flatMap((f) => (f.uploaded ? [f.uploaded] : [])));
    onAsked();
    if (!(await asked)) restoreDraft(taken);
    sending.current = false;
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.isComposing) return; // Enter ends the choice of a Chinese word
    if (event.key === 'Enter' && !event.shiftKey && !touch.matches) {
      event.preventDefault();
      void send();
    } else if (event.key === 'ArrowUp' && text === '' && editLastQuestion()) {
      event.preventDefault();
    }
  }

  function onPaste(event: ClipboardEvent): void {
    const pasted = [...(event.clipboardData?.files ?? [])];
    if (pasted.length === 0) return;
    event.preventDefault();
    attachFiles(pasted);
  }

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <FileChips files={files} />
      <textarea
        ref={field}
        id="composer"
        rows={1}
        aria-label={t('askLabel')}
        placeholder={t('askPlaceholder')}
        value={text}
        onInput={(event) => setDraftText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
      />
      <div class="composer-row">
        <Switches />
        <ContextMeter />
        <input
          ref={picker}
          type="file"
          class="visually-hidden"
          tabindex={-1}
          aria-hidden="true"
          multiple
          accept={info.value?.files.extensions.join(',') ?? ''}
          onChange={(event) => {
            attachFiles(event.currentTarget.files ?? []);
            event.currentTarget.value = '';
          }}
        />
        <IconButton icon="attach" label={t('attach')} onClick={() => picker.current?.click()} />
        {running ? (
          <button type="button" class="send send-stop" aria-label={t('stop')} title={t('stop')} onClick={() => void stop(running.id)}>
            <span class="stop-square" />
          </button>
        ) : (
          <button type="submit" class="send" aria-label={t('send')} title={t('send')} disabled={!ready}>
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}
