import { useState } from 'preact/hooks';
import { api } from '../api/client';
import { t } from '../i18n';
import { refreshHistory } from '../state/history';
import { errorText } from '../state/notices';
import { loadSite } from '../state/site';
import { Brand } from './sidebar';

export function SignIn() {
  const [key, setKey] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  async function signIn() {
    try {
      await api.signIn(key.trim());
      await loadSite();
      await refreshHistory();
    } catch (cause) {
      setProblem(errorText(cause));
    }
  }
  return (
    <main class="sign-in">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void signIn();
        }}
      >
        <Brand />
        <h1>{t('signInTitle')}</h1>
        <p class="quiet">{t('signInHint')}</p>
        <input type="password" autocomplete="current-password" aria-label={t('apiKey')} placeholder={t('apiKey')} value={key} onInput={(event) => setKey(event.currentTarget.value)} />
        {problem && (
          <p class="ending ending-failed" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="button button-primary" disabled={key.trim() === ''}>
          {t('signIn')}
        </button>
      </form>
    </main>
  );
}
