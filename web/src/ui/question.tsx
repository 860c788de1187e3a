// One question, numbered at the margin as an equation is; editing it asks anew on a branch of its own.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { UserNode } from '../api/types';
import { t } from '../i18n';
import { answer, editQuestion } from '../state/conversation';
import type { Place } from '../state/tree';
import { BranchSwitch } from './branch_switch';
import { IconButton } from './controls';
import { showFile } from './file_dialog';
import { Icon } from './icons';

interface QuestionProps {
  node: UserNode;
  number: number;
  place: Place;
  unanswered: boolean;
}

/** The question that is being edited. */
export const editing = signal<string | null>(null);

function Editor({ node }: { node: UserNode }) {
  const [text, setText] = useState(node.content);
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    area.current?.focus();
    area.current?.setSelectionRange(node.content.length, node.content.length);
  }, []);
  const close = () => {
    editing.value = null;
  };
  async function send() {
    if (text.trim() === '') return;
    if (await editQuestion(node, text)) close();
  }
  function onKeyDown(event: KeyboardEvent): void {
    if (event.isComposing) return;
    if (event.key === 'Escape') {
      event.stopPropagation();
      close();
    } else if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      void send();
    }
  }
  return (
    <div class="editor">
      <textarea ref={area} aria-label={t('editLabel')} value={text} rows={Math.min(12, text.split('\n').length + 1)} onInput={(e) => setText(e.currentTarget.value)} onKeyDown={onKeyDown} />
      <div class="editor-actions">
        <button type="button" class="button button-small" onClick={close}>
          {t('cancel')}
        </button>
        <button type="button" class="button button-small button-primary" onClick={() => void send()}>
          {t('sendEdit')}
        </button>
      </div>
    </div>
  );
}

export function Question({ node, number, place, unanswered }: QuestionProps) {
  return (
    <article class={`question ${place.count > 1 ? 'has-branch' : ''}`} id={`n-${node.id}`}>
      <h2 class="visually-hidden">{t('question')}</h2>
      <span class="question-number" aria-hidden="true">
        ({number})
      </span>
      {node.files.length > 0 && (
        <ul class="chips">
          {node.files.map((file) => (
            <li key={file.id}>
              <button type="button" class="chip" aria-label={t('fileShow', { name: file.name })} onClick={() => showFile(file)}>
                <Icon name="file" />
                <span class="chip-name">{file.name}</span>
                <span class="chip-cost">{t('fileTokens', { n: file.tokens })}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {editing.value === node.id ? <Editor node={node} /> : <div class="question-text">{node.content}</div>}
      <footer class="question-foot">
        <BranchSwitch place={place} />
        {editing.value !== node.id && (
          <IconButton
            icon="edit"
            label={t('edit')}
            onClick={() => {
              editing.value = node.id;
            }}
          />
        )}
      </footer>
      {unanswered && (
        <p class="ending">
          <span>{t('unanswered')}</span>
          <button type="button" class="button button-small" onClick={() => void answer(node.id)}>
            {t('answerIt')}
          </button>
        </p>
      )}
    </article>
  );
}
