// TeX between \( \), \[ \], $ $ and $$ $$, and a \boxed{…} that stands in the text, for markdown-it. The tokens render as <span class="math"> with the TeX as
// text; text/enhance.ts puts KaTeX's output in its place.
import type { MarkdownIt, StateBlock, StateInline } from 'markdown-it';

interface Span {
  tex: string;
  display: boolean;
  end: number; // offset behind the closing delimiter
}

function closing(source: string, from: number, limit: number, delimiter: string): number {
  for (let at = source.indexOf(delimiter, from); at >= 0 && at < limit; at = source.indexOf(delimiter, at + 1)) {
    let backslashes = 0;
    while (source[at - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return -1;
}

// "\boxed{…}" as a whole: models asked to box their answers often leave the delimiters out.
function boxedAt(source: string, at: number, limit: number): Span | null {
  let depth = 0;
  for (let end = at + '\\boxed'.length; end < limit; end++) {
    if (source[end] === '\n') return null;
    if (source[end] === '\\') {
      end++;
    } else if (source[end] === '{') {
      depth++;
    } else if (source[end] === '}' && --depth === 0) {
      return { tex: source.slice(at, end + 1), display: false, end: end + 1 };
    }
  }
  return null;
}

/** The maths that begins at `at`, or null. A single $ follows Pandoc's rule, so that prices stay prices. */
export function mathsAt(source: string, at: number, limit = source.length): Span | null {
  const two = source.slice(at, at + 2);
  if (two === '\\(' || two === '\\[') {
    const end = closing(source, at + 2, limit, two === '\\(' ? '\\)' : '\\]');
    return span(source, at + 2, end, 2, two === '\\[');
  }
  if (source.startsWith('\\boxed{', at)) return boxedAt(source, at, limit);
  if (two === '$$') return span(source, at + 2, closing(source, at + 2, limit, '$$'), 2, true);
  if (source[at] !== '$' || /\s/.test(source[at + 1] ?? ' ')) return null;
  const end = closing(source, at + 1, limit, '$');
  if (end < 0 || /\s/.test(source[end - 1] ?? ' ') || /\d/.test(source[end + 1] ?? '')) return null;
  return span(source, at + 1, end, 1, false);
}

function span(source: string, from: number, to: number, width: number, display: boolean): Span | null {
  const tex = to < 0 ? '' : source.slice(from, to).trim();
  return tex === '' ? null : { tex, display, end: to + width };
}

function inlineRule(state: StateInline, silent: boolean): boolean {
  const code = state.src.charCodeAt(state.pos);
  if (code !== 0x24 && code !== 0x5c) return false;
  const found = mathsAt(state.src, state.pos, state.posMax);
  if (!found) return false;
  if (!silent) {
    const token = state.push('maths', '', 0);
    token.content = found.tex;
    token.meta = { display: found.display };
  }
  state.pos = found.end;
  return true;
}

// A paragraph of display maths, which may hold blank lines and what else would be markdown.
function blockRule(state: StateBlock, startLine: number, endLine: number, silent: boolean): boolean {
  const start = (state.bMarks[startLine] ?? 0) + (state.tShift[startLine] ?? 0);
  const opener = state.src.slice(start, start + 2);
  if (opener !== '$$' && opener !== '\\[') return false;
  if ((state.sCount[startLine] ?? 0) - state.blkIndent >= 4) return false;
  const limit = state.eMarks[endLine - 1] ?? state.src.length;
  let found = mathsAt(state.src, start, limit);
  if (!found && (state.env as { open?: boolean } | undefined)?.open) {
    found = span(state.src, start + 2, limit, 0, true); // still being written
  }
  if (!found) return false;
  let line = startLine;
  while (line < endLine - 1 && (state.eMarks[line] ?? 0) < found.end) line++;
  if (state.src.slice(found.end, state.eMarks[line]).trim() !== '') return false; // text behind it: a paragraph
  if (silent) return true;
  const token = state.push('maths', '', 0);
  token.content = found.tex;
  token.meta = { display: true };
  token.block = true;
  token.map = [startLine, line + 1];
  state.line = line + 1;
  return true;
}

export function mathsPlugin(md: MarkdownIt): void {
  md.inline.ruler.before('escape', 'maths', inlineRule);
  md.block.ruler.before('fence', 'maths', blockRule, { alt: ['paragraph', 'blockquote', 'list'] });
  md.renderer.rules.maths = (tokens, index) => {
    const token = tokens[index];
    if (!token) return '';
    const display = (token.meta as { display: boolean }).display;
    const html = `<span class="math${display ? ' math-display' : ''}">${md.utils.escapeHtml(token.content)}</span>`;
    return token.block ? `<p class="math-block">${html}</p>\n` : html;
  };
}
