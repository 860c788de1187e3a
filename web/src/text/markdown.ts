// Markdown of a model to sanitised HTML, one block at a time (text/blocks.ts).
import MarkdownIt from 'markdown-it';
import { citationPlugin, type CitationEnv } from './citations';
import { highlight } from './highlight';
import { mathsPlugin } from './maths';
import { sanitise } from './sanitise';

export interface RenderEnv extends CitationEnv {
  open: boolean; // the block still grows
  copyLabel: string;
}

const OPEN_HIGHLIGHT_LENGTH = 4000; // code that grows beyond this is highlighted when it is complete

const md = new MarkdownIt({ html: false, linkify: true });
md.linkify.set({ fuzzyLink: false, fuzzyEmail: false }); // "main.py" is no address
md.use(mathsPlugin).use(citationPlugin);

// No picture is fetched from anywhere: the address is offered as a link.
md.renderer.rules.image = (tokens, index) => {
  const token = tokens[index];
  const address = md.utils.escapeHtml(token?.attrGet('src')?.toString() ?? '');
  return `<a href="${address}">${md.utils.escapeHtml(token?.content || address)}</a>`;
};

md.renderer.rules.fence = (tokens, index, _options, anyEnv) => {
  const env = anyEnv as unknown as RenderEnv;
  const token = tokens[index];
  const code = token?.content ?? '';
  const language = (token?.info ?? '').trim().split(/[\s{,]/)[0]?.toLowerCase() ?? '';
  const plain = env.open && code.length > OPEN_HIGHLIGHT_LENGTH;
  return codeFrame(code, language, plain ? null : highlight(code, language), env.copyLabel);
};
md.renderer.rules.code_block = (tokens, index, _options, env) =>
  codeFrame(tokens[index]?.content ?? '', '', null, (env as unknown as RenderEnv).copyLabel);

md.renderer.rules.table_open = () => '<div class="table-frame" tabindex="0"><table>\n';
md.renderer.rules.table_close = () => '</table></div>\n';

// The alignment of a column comes as a style, which the page's policy refuses: a class says the same.
for (const rule of ['th_open', 'td_open']) {
  md.renderer.rules[rule] = (tokens, index, options, _env, renderer) => {
    const token = tokens[index];
    const alignment = /text-align:(\w+)/.exec(token?.attrGet('style')?.toString() ?? '')?.[1];
    if (token && alignment) token.attrs = [['class', `align-${alignment}`]];
    return renderer.renderToken(tokens, index, options);
  };
}

function codeFrame(code: string, language: string, highlighted: string | null, copyLabel: string): string {
  const { escapeHtml } = md.utils;
  return (
    `<div class="code"><div class="code-head"><span>${escapeHtml(language)}</span>` +
    `<button type="button" class="code-copy">${escapeHtml(copyLabel)}</button></div>` +
    `<pre tabindex="0"><code>${highlighted ?? escapeHtml(code)}</code></pre></div>\n`
  );
}

/** Sanitised HTML for innerHTML. */
export function renderBlock(source: string, env: RenderEnv): string {
  return sanitise(md.render(source, { ...env }));
}
