// The conversation as a page of a notebook, and the composer below it.
import { signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { conversationId, liveAnswers, loading, missing, path, tree } from '../state/conversation';
import { attachFiles, setDraftText } from '../state/draft';
import { placeOf } from '../state/tree';
import { Answer } from './answer';
import { Composer, composerField } from './composer';
import { Icon } from './icons';
import { Question } from './question';
import { useFollowEnd } from './follow_end';

const EAGER_MESSAGES = 4; // drawn at once: what is in view after opening
const FIRST_MESSAGES = 24; // made at once, the earlier ones when the browser has time
const MORE_MESSAGES = 80;

/** A message to bring into view, found by a search. */
export const target = signal<string | null>(null);

function Greeting() {
  const examples = [t('exampleProof'), t('exampleCode'), t('exampleText')];
  return (
    <div class="greeting">
      <h1>{t('greeting')}</h1>
      <p>{t('greetingHint')}</p>
      <ul>
        {examples.map((example) => (
          <li key={example}>
            <button
              type="button"
              onClick={() => {
                setDraftText(example);
                composerField.current?.focus();
              }}
            >
              {example}
              <Icon name="right" />
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function whenIdle(run: () => void): () => void {
  if (!('requestIdleCallback' in window)) {
    const timer = setTimeout(run, 30);
    return () => clearTimeout(timer);
  }
  const handle = requestIdleCallback(run, { timeout: 200 });
  return () => cancelIdleCallback(handle);
}

/** How many of the last messages are made: all of them soon, or at once when the conversation was opened at one. */
function useMade(count: number): number {
  const [made, setMade] = useState(() => (target.value === null ? FIRST_MESSAGES : Infinity));
  const unmade = made < count;
  useEffect(() => (unmade ? whenIdle(() => setMade(made + MORE_MESSAGES)) : undefined), [made, unmade]);
  return made;
}

function Messages() {
  const messages = path.value;
  const firstEager = messages.length - EAGER_MESSAGES;
  const first = Math.max(0, messages.length - useMade(messages.length));
  return (
    <>
      {messages.slice(first).map((node, offset) => {
        const i = first + offset;
        const place = placeOf(tree.value, node);
        return node.role === 'user' ? (
          <Question key={node.id} node={node} number={(i >> 1) + 1} place={place} unanswered={i === messages.length - 1} />
        ) : (
          <Answer key={node.id} node={node} place={place} live={liveAnswers.value.get(node.id)} eager={i >= firstEager} />
        );
      })}
    </>
  );
}

function useDrop(): { dropping: boolean; handlers: Record<string, (event: DragEvent) => void> } {
  const [dropping, setDropping] = useState(false);
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
  const handlers = {
    onDragOver: (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setDropping(true);
    },
    onDragLeave: (event: DragEvent) => {
      if (!(event.currentTarget as Element).contains(event.relatedTarget as Node | null)) setDropping(false);
    },
    onDrop: (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setDropping(false);
      attachFiles(event.dataTransfer?.files ?? []);
    },
  };
  return { dropping, handlers };
}

export function ConversationView() {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const { following, toEnd } = useFollowEnd(scroller, content);
  const { dropping, handlers } = useDrop();
  const empty = path.value.length === 0 && !loading.value;

  useLayoutEffect(() => {
    if (!loading.value && target.value === null) toEnd();
  }, [conversationId.value, loading.value]);
  useEffect(() => {
    const wanted = target.value;
    const element = wanted ? document.getElementById(`n-${wanted}`) : null;
    if (!element) return;
    following.value = false;
    target.value = null;
    element.scrollIntoView({ block: 'start' });
    element.classList.add('pointed');
    setTimeout(() => element.classList.remove('pointed'), 2500);
  }, [target.value, path.value]);

  return (
    <main class={`conversation ${empty ? 'conversation-empty' : ''}`} {...handlers}>
      <div class="scroller" ref={scroller} tabindex={-1}>
        <div class="page" ref={content}>
          {missing.value ? <p class="page-note">{t('notFound')}</p> : empty ? <Greeting /> : <Messages key={conversationId.value} />}
        </div>
      </div>
      <div class="composer-frame">
        {!following.value && !empty && (
          <button type="button" class="to-end" onClick={toEnd}>
            <Icon name="down" />
            {t('jumpToEnd')}
          </button>
        )}
        <Composer onAsked={toEnd} />
      </div>
      {dropping && <div class="drop">{t('dropHere')}</div>}
    </main>
  );
}
