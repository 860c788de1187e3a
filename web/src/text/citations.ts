// [citation:3] as the official search prompts ask for it, for markdown-it. A number that has a source becomes a
// button; any other is shown, flagged, and leads nowhere.
import type { MarkdownIt, StateInline } from 'markdown-it';

const CITATION = /\[citation: ?(\d{1,4}(?:[,，、;] ?\d{1,4})*)\]/y;
const UNFINISHED = /\[(?:c|ci|cit|cita|citat|citati|citatio|citation|citation:[\d,，、; ]*)$/;

export interface CitationLabels {
  source(number: number): string;
  unknown(number: number): string;
}

export interface CitationEnv {
  known: ReadonlySet<number>;
  labels: CitationLabels;
}

/** Numbers cited at `at`, and where the citation ends. */
export function citationAt(source: string, at: number): { numbers: number[]; end: number } | null {
  CITATION.lastIndex = at;
  const match = CITATION.exec(source);
  if (!match?.[1]) return null;
  return { numbers: match[1].split(/[,，、;]/).map(Number), end: CITATION.lastIndex };
}

/** A text that still grows, without the beginning of a citation at its end. */
export function withoutUnfinishedCitation(text: string): string {
  return text.replace(UNFINISHED, '');
}

function rule(state: StateInline, silent: boolean): boolean {
  if (state.src.charCodeAt(state.pos) !== 0x5b) return false;
  const found = citationAt(state.src, state.pos);
  if (!found || found.end > state.posMax) return false;
  if (!silent) state.push('citation', '', 0).meta = { numbers: found.numbers };
  state.pos = found.end;
  return true;
}

export function citationPlugin(md: MarkdownIt): void {
  md.inline.ruler.before('link', 'citation', rule);
  md.renderer.rules.citation = (tokens, index, _options, anyEnv) => {
    const env = anyEnv as unknown as CitationEnv;
    const { numbers } = tokens[index]?.meta as { numbers: number[] };
    return numbers
      .map((number) => {
        const known = env.known.has(number);
        const label = md.utils.escapeHtml(known ? env.labels.source(number) : env.labels.unknown(number));
        return known
          ? `<button type="button" class="cite" data-source="${number}" aria-label="${label}">${number}</button>`
          : `<span class="cite cite-unknown" title="${label}">${number}<span class="visually-hidden"> (${label})</span></span>`;
      })
      .join('');
  };
}
