// A model's markdown, block by block. A block is drawn again only when its own source changes: of a growing text that
// is the last block. Blocks come in chunks, which are drawn when they come near the view.
import { Component, createRef } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import type { Source } from '../api/types';
import { language, t } from '../i18n';
import { BlockSplitter } from '../text/blocks';
import { withoutUnfinishedCitation } from '../text/citations';
import { enhance } from '../text/enhance';
import { renderBlock, type RenderEnv } from '../text/markdown';
import { copyText } from './clipboard';
import { whenNear } from './near_view';

const CHUNK_BLOCKS = 16; // far text is kept and laid out in chunks of so many blocks

type Citations = Pick<RenderEnv, 'known' | 'labels' | 'copyLabel'>;

interface BlockProps {
  source: string;
  open: boolean;
  citations: Citations;
}

class Block extends Component<BlockProps> {
  private readonly element = createRef<HTMLDivElement>();

  override shouldComponentUpdate(next: BlockProps): boolean {
    const { source, open, citations } = this.props;
    return next.source !== source || next.open !== open || next.citations !== citations;
  }

  override componentDidMount(): void {
    this.draw();
  }

  override componentDidUpdate(): void {
    this.draw();
  }

  private draw(): void {
    const element = this.element.current as HTMLDivElement;
    const { source, open, citations } = this.props;
    element.innerHTML = renderBlock(source, { open, ...citations });
    enhance(element);
  }

  override render() {
    return <div class="block" ref={this.element} />;
  }
}

interface ChunkProps {
  sources: readonly string[];
  open: boolean; // its last block still grows
  near: boolean; // from the start
  citations: Citations;
}

/** A far chunk holds its source as it is, so that the browser's own search finds it. */
class Chunk extends Component<ChunkProps, { near: boolean }> {
  override state = { near: this.props.near || this.props.open };
  private readonly element = createRef<HTMLDivElement>();
  private cancel: (() => void) | null = null;

  override shouldComponentUpdate(next: ChunkProps, nextState: { near: boolean }): boolean {
    const { sources, open, citations } = this.props;
    const same = next.sources.length === sources.length && next.sources.every((source, i) => source === sources[i]);
    return !same || next.open !== open || next.citations !== citations || nextState.near !== this.state.near;
  }

  override componentDidMount(): void {
    if (this.state.near) return;
    const element = this.element.current as Element;
    // The one chunk of a message has no box while its message is far: content-visibility skips it.
    const observed = element.matches(':only-child') ? (element.closest('article') ?? element) : element;
    this.cancel = whenNear(observed, () => this.setState({ near: true }));
  }

  override componentWillUnmount(): void {
    this.cancel?.();
  }

  override render() {
    const { sources, open, citations } = this.props;
    if (!this.state.near) {
      return (
        <div class="chunk chunk-far" ref={this.element}>
          {sources.join('')}
        </div>
      );
    }
    return (
      <div class="chunk" ref={this.element}>
        {sources.map((source, i) => (
          <Block key={i} source={source} open={open && i === sources.length - 1} citations={citations} />
        ))}
      </div>
    );
  }
}

function chunksOf(blocks: readonly string[]): string[][] {
  const chunks: string[][] = [];
  for (let at = 0; at < blocks.length; at += CHUNK_BLOCKS) chunks.push(blocks.slice(at, at + CHUNK_BLOCKS));
  return chunks;
}

interface RichTextProps {
  text: string;
  open: boolean; // still being written
  eager: boolean; // in view from the start
  sources: readonly Source[];
  onCite: ((number: number) => void) | null;
}

async function copyCode(button: HTMLElement): Promise<void> {
  const code = button.closest('.code')?.querySelector('code');
  await copyText(code?.textContent ?? '');
  button.textContent = t('copied');
  setTimeout(() => {
    button.textContent = t('copy');
  }, 1500);
}

export function RichText({ text, open, eager, sources, onCite }: RichTextProps) {
  const splitter = useRef(new BlockSplitter());
  const chunks = useMemo(() => chunksOf(splitter.current.update(open ? withoutUnfinishedCitation(text) : text)), [text, open]);
  const citations = useMemo(
    () => ({
      known: new Set(sources.map((s) => s.number)),
      labels: {
        source: (n: number) => t('citedSource', { n, title: sources.find((s) => s.number === n)?.title ?? '' }),
        unknown: (n: number) => t('unknownSource', { n }),
      },
      copyLabel: t('copy'),
    }),
    [sources, language.value],
  );

  function onClick(event: MouseEvent): void {
    const target = event.target as HTMLElement;
    const cite = target.closest<HTMLElement>('button.cite');
    if (cite) onCite?.(Number(cite.dataset.source));
    const copy = target.closest<HTMLElement>('.code-copy');
    if (copy) void copyCode(copy);
  }

  return (
    <div class="rich" onClick={onClick}>
      {chunks.map((blocks, i) => {
        const last = i === chunks.length - 1;
        return <Chunk key={i} sources={blocks} open={open && last} near={eager && last} citations={citations} />;
      })}
    </div>
  );
}
