// The files of a draft, each with the cost of its text.
import { t } from '../i18n';
import { removeFile, type DraftFile } from '../state/draft';
import { IconButton } from './controls';
import { showFile } from './file_dialog';
import { Icon } from './icons';

export function FileChips({ files }: { files: readonly DraftFile[] }) {
  if (files.length === 0) return null;
  return (
    <ul class="chips">
      {files.map((file) => {
        const { key, name, uploaded } = file;
        return (
          <li key={key} class="chip-frame" aria-busy={!uploaded}>
            <button type="button" class="chip" disabled={!uploaded} aria-label={t('fileShow', { name })} onClick={() => uploaded && void showFile(uploaded)}>
              <Icon name="file" />
              <span class="chip-name">{name}</span>
              <span class="chip-cost">{uploaded ? t('fileTokens', { n: uploaded.tokens }) : t('fileReading')}</span>
            </button>
            <IconButton icon="close" label={t('fileRemove', { name })} onClick={() => removeFile(file)} />
          </li>
        );
      })}
    </ul>
  );
}
