// A model's markdown, block by block. A block is drawn when it comes near the view, and again only when its own
// source changes: of a growing text that is the last block.
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

const EAGER_BLOCKS = 40; // drawn at once at the end of an eager text

interface BlockProps {
  source: string;
  open: boolean;
  eager: boolean;
  citations: Pick<RenderEnv, 'known' | 'labels' | 'copyLabel'>;
}

class Block extends Component<BlockProps> {
  private readonly element = createRef<HTMLDivElement>();
  private drawn = false;
  private cancel: (() => void) | null = null;

  override shouldComponentUpdate(next: BlockProps): boolean {
    const { source, open, citations } = this.props;
    return next.source !== source || next.open !== open || next.citations !== citations;
  }

  override componentDidMount(): void {
    if (this.props.eager || this.props.open) return this.draw();
    this.showSource();
    this.cancel = whenNear(this.element.current as Element, () => this.draw());
  }

  override componentDidUpdate(): void {
    if (this.drawn) this.draw();
    else this.showSource();
  }

  override componentWillUnmount(): void {
    this.cancel?.();
  }

  /** Far blocks hold their source, so that the browser's own search finds them. */
  private showSource(): void {
    const element = this.element.current as HTMLDivElement;
    element.textContent = this.props.source;
    element.classList.add('block-source');
  }

  private draw(): void {
    const element = this.element.current as HTMLDivElement;
    const { source, open, citations } = this.props;
    element.innerHTML = renderBlock(source, { open, ...citations });
    enhance(element);
    element.classList.remove('block-source');
    this.drawn = true;
  }

  override render() {
    return <div class="block" ref={this.element} />;
  }
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
  const blocks = useMemo(() => splitter.current.update(open ? withoutUnfinishedCitation(text) : text), [text, open]);
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
      {blocks.map((source, i) => (
        <Block key={i} source={source} open={open && i === blocks.length - 1} eager={eager && i >= blocks.length - EAGER_BLOCKS} citations={citations} />
      ))}
    </div>
  );
}
