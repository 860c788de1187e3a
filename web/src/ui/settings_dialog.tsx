import { useId, useRef, useState } from 'preact/hooks';
import { api } from '../api/client';
import type { Settings } from '../api/types';
import { t } from '../i18n';
import { refreshHistory } from '../state/history';
import { attempt, showNotice } from '../state/notices';
import { navigate } from '../state/router';
import { changeSettings, info, loadSite, settings } from '../state/site';
import { download } from './clipboard';
import { Confirm, Dialog } from './controls';
import { settingsOpen } from './sidebar_state';

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly (readonly [string, string])[]; // value, words
  onChange: (value: string) => void;
}

function Choice({ label, value, options, onChange }: ChoiceProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([key, words]) => (
          <option key={key} value={key}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}

type NumericSetting = 'temperature' | 'top_p' | 'max_tokens' | 'thinking_budget';

interface NumberFieldProps {
  label: string;
  setting: NumericSetting;
  empty: string; // what an empty field means
  max: number;
  step: number;
}

function NumberField({ label, setting, empty, max, step }: NumberFieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="number"
        min={step < 1 ? 0 : 1}
        max={max}
        step={step}
        placeholder={empty}
        value={settings.value[setting] ?? ''}
        onChange={(event) => {
          const input = event.currentTarget;
          if (input.reportValidity()) void changeSettings({ [setting]: input.value === '' ? null : Number(input.value) });
        }}
      />
    </div>
  );
}

function Data() {
  const picker = useRef<HTMLInputElement>(null);
  const [asking, setAsking] = useState(false);
  async function exportAll() {
    const parts = (await attempt(api.exportAll)) ?? [];
    parts.forEach((part, i) => download(part, parts.length > 1 ? `r1-conversations-${i + 1}.json` : 'r1-conversations.json'));
  }
  async function importFile(file: File | undefined) {
    if (!file) return;
    const result = await attempt(async () => api.importDocument(await file.text()));
    if (!result) return;
    showNotice(t('imported', { n: result.imported, skipped: result.skipped }));
    await refreshHistory();
  }
  async function deleteAll() {
    await attempt(api.deleteAllConversations);
    navigate('/');
    await refreshHistory();
  }
  return (
    <section>
      <h3>{t('settingsData')}</h3>
      <div class="dialog-actions dialog-actions-start">
        <button type="button" class="button" onClick={() => void exportAll()}>
          {t('exportAll')}
        </button>
        <button type="button" class="button" onClick={() => picker.current?.click()}>
          {t('importFile')}
        </button>
        <button type="button" class="button button-danger" onClick={() => setAsking(true)}>
          {t('deleteAll')}
        </button>
      </div>
      <input ref={picker} type="file" accept=".json,application/json" class="visually-hidden" tabindex={-1} aria-hidden="true" onChange={(event) => void importFile(event.currentTarget.files?.[0])} />
      {asking && <Confirm text={t('deleteAllConfirm')} action={t('deleteAll')} onConfirm={() => void deleteAll()} onClose={() => setAsking(false)} />}
    </section>
  );
}

async function signOut(): Promise<void> {
  await attempt(async () => {
    await api.signOut();
    await loadSite();
  });
  settingsOpen.value = false;
}

export function SettingsDialog() {
  const promptId = useId();
  if (!settingsOpen.value) return null;
  const { language, theme, search_provider, system_prompt } = settings.value;
  const providers = info.value?.search.map((p) => [p.name, p.ready ? p.name : `${p.name} (${p.reason ?? ''})`] as const) ?? [];
  return (
    <Dialog title={t('settings')} onClose={() => (settingsOpen.value = false)}>
      <section>
        <h3>{t('settingsAppearance')}</h3>
        <Choice
          label={t('language')}
          value={language ?? ''}
          options={[['', t('languageSystem')], ['en', 'English'], ['zh', '中文']]}
          onChange={(value) => void changeSettings({ language: (value || null) as Settings['language'] })}
        />
        <Choice
          label={t('theme')}
          value={theme ?? ''}
          options={[['', t('themeSystem')], ['light', t('themeLight')], ['dark', t('themeDark')]]}
          onChange={(value) => void changeSettings({ theme: (value || null) as Settings['theme'] })}
        />
      </section>
      <section>
        <h3>{t('settingsAnswers')}</h3>
        <NumberField label={t('temperature')} setting="temperature" empty={t('publishedValue')} max={2} step={0.05} />
        <NumberField label={t('topP')} setting="top_p" empty={t('publishedValue')} max={1} step={0.01} />
        <NumberField label={`${t('maxTokens')} (${t('tokensUnit')})`} setting="max_tokens" empty={t('noLimit')} max={1_000_000} step={1} />
        <NumberField label={`${t('thinkingBudget')} (${t('tokensUnit')})`} setting="thinking_budget" empty={t('noLimit')} max={1_000_000} step={1} />
        <Choice label={t('searchProvider')} value={search_provider ?? ''} options={[['', t('searchProviderFirst')], ...providers]} onChange={(value) => void changeSettings({ search_provider: value || null })} />
        <div class="field field-tall">
          <label for={promptId}>{t('systemPrompt')}</label>
          <textarea id={promptId} rows={3} value={system_prompt} onChange={(event) => void changeSettings({ system_prompt: event.currentTarget.value })} />
          <p class="quiet">{t('systemPromptHint')}</p>
        </div>
      </section>
      <Data />
      {info.value?.sign_in === 'done' && (
        <button type="button" class="link-button" onClick={() => void signOut()}>
          {t('signOut')}
        </button>
      )}
      <p class="quiet version">r1 {info.value?.version}</p>
    </Dialog>
  );
}
