import { describe, expect, it } from 'vitest';
import { citationAt, withoutUnfinishedCitation } from '../src/text/citations';
import { enhance } from '../src/text/enhance';
import { renderBlock, type RenderEnv } from '../src/text/markdown';
import { mathsAt } from '../src/text/maths';

const env: RenderEnv = {
  open: false,
  copyLabel: 'Copy',
  known: new Set([1, 2, 3]),
  labels: { source: (n) => `Source ${n}: "T"`, unknown: (n) => `No source ${n}` },
};

function render(source: string, change: Partial<RenderEnv> = {}): HTMLElement {
  const element = document.createElement('div');
  element.innerHTML = renderBlock(source, { ...env, ...change });
  return element;
}

function maths(source: string): string[] {
  return [...render(source).querySelectorAll('.math')].map((m) => (m.classList.contains('math-display') ? 'D:' : 'I:') + m.textContent);
}

describe('maths delimiters', () => {
  it('knows all four', () => {
    expect(maths('a \\(x_1\\) b $y*z*$ c $$w$$ d \\[v\\] e')).toEqual(['I:x_1', 'I:y*z*', 'D:w', 'D:v']);
  });
  it('takes a boxed answer in the text for maths', () => {
    expect(maths('The answer is \\boxed{42}.')).toEqual(['I:\\boxed{42}']);
    expect(maths('答案是\\boxed{\\frac{1}{2}}。')).toEqual(['I:\\boxed{\\frac{1}{2}}']);
    expect(maths('\\(\\boxed{1}\\) $\\boxed{2}$')).toEqual(['I:\\boxed{1}', 'I:\\boxed{2}']);
    expect(maths('`\\boxed{3}` \\boxed{4 and\n\n\\boxed 5')).toEqual([]);
    const typeset = render('\\boxed{42}');
    enhance(typeset);
    expect(typeset.querySelector('.katex .fbox')).not.toBeNull();
  });
  it('leaves prices alone', () => {
    expect(maths('costs $5 and $10, or $7.50 each')).toEqual([]);
    expect(maths('from $5 to $x$')).toEqual(['I:x']);
  });
  it('does not look into code', () => {
    expect(maths('`$x$` and\n\n```\n$$y$$\n```')).toEqual([]);
  });
  it('respects escaped delimiters', () => {
    expect(maths('\\$x$ and $a\\$b$')).toEqual(['I:a\\$b']);
    expect(mathsAt('\\(a\\\\\\)', 0)?.tex).toBe('a\\\\');
  });
  it('keeps display maths over several lines, with blank ones, as one', () => {
    expect(maths('\\[\na _b_ \\\\\n\n# c\n\\]')).toEqual(['D:a _b_ \\\\\n\n# c']);
    expect(maths('$$\nx\n$$')).toEqual(['D:x']);
  });
  it('finds display maths in lists and after text', () => {
    expect(maths('1. first\n   \\[\n   x\n   \\]\n2. then \\[y\\] end')).toEqual(['D:x', 'D:y']);
  });
  it('treats maths that is still being written as maths', () => {
    expect(render('\\[\n\\frac{a', { open: true }).querySelector('.math-display')?.textContent).toBe('\\frac{a');
    expect(render('\\[\n\\frac{a').querySelector('.math')).toBeNull();
  });
  it('is typeset by KaTeX, and shown as written when it cannot be', () => {
    const good = render('$\\frac{1}{2}$');
    enhance(good);
    expect(good.querySelector('.katex .mfrac')).not.toBeNull();
    const bad = render('$\\frac{1$');
    enhance(bad);
    expect(bad.querySelector('.math-error')?.textContent).toBe('\\frac{1');
  });
  it('does not follow commands that would lead out of the page', () => {
    const element = render('$\\href{javascript:alert(1)}{x}$ $\\includegraphics{http://a/b.png}$');
    enhance(element);
    expect(element.querySelector('a, img')).toBeNull();
  });
});

describe('citations', () => {
  it('reads one number or several', () => {
    expect(citationAt('x[citation:12]', 1)).toEqual({ numbers: [12], end: 14 });
    expect(citationAt('[citation: 1, 2，3]', 0)?.numbers).toEqual([1, 2, 3]);
    expect(citationAt('[citation:x]', 0)).toBeNull();
    expect(citationAt('[citation:]', 0)).toBeNull();
    expect(citationAt('[citation:12345]', 0)).toBeNull();
    expect(citationAt('[citation:1,]', 0)).toBeNull();
    expect(citationAt('[citation:1', 0)).toBeNull();
  });
  it('makes chips of known numbers, one each', () => {
    const chips = render('True[citation:3][citation:1].').querySelectorAll('button.cite');
    expect([...chips].map((c) => c.getAttribute('data-source'))).toEqual(['3', '1']);
    expect(chips[0]?.getAttribute('type')).toBe('button');
    expect(chips[0]?.getAttribute('aria-label')).toBe('Source 3: "T"');
  });
  it('flags unknown numbers and links them nowhere', () => {
    const element = render('False[citation:4], [citation:0] and [citation:9](http://evil.example/).');
    expect(element.querySelectorAll('.cite-unknown').length).toBe(3);
    expect(element.querySelector('button, a[href*="citation"]')).toBeNull();
  });
  it('does not look into code', () => {
    expect(render('`[citation:1]`').querySelector('.cite')).toBeNull();
  });
  it('hides the beginning of one at the end of a text that grows', () => {
    for (const part of ['[c', '[citat', '[citation:', '[citation:1', '[citation:1, ']) {
      expect(withoutUnfinishedCitation(`text ${part}`)).toBe('text ');
    }
    expect(withoutUnfinishedCitation('text [citation:1]')).toBe('text [citation:1]');
    expect(withoutUnfinishedCitation('a [b')).toBe('a [b');
  });
});

describe('what a model writes can do nothing', () => {
  it('shows HTML as text', () => {
    const element = render('<img src=x onerror=alert(1)> <b>bold</b>\n\n<script>alert(1)</script>');
    expect(element.querySelector('img, b, script')).toBeNull();
    expect(element.textContent).toContain('<script>');
  });
  it('has no links but http, https and mailto', () => {
    const element = render('[a](javascript:alert(1)) [b](data:text/html,x) [c](vbscript:x) [d](file:///etc/passwd) [e](/api/site/export)');
    expect(element.querySelector('a[href]')).toBeNull();
  });
  it('opens links without telling where from', () => {
    const link = render('[a](https://example.org)').querySelector('a');
    expect(link?.target).toBe('_blank');
    expect(link?.rel).toContain('noreferrer');
  });
  it('fetches no picture', () => {
    const element = render('![alt](https://tracker.example/p.png)');
    expect(element.querySelector('img')).toBeNull();
    expect(element.querySelector('a')?.textContent).toBe('alt');
  });
  it('cannot break out of the language name of a fence', () => {
    const element = render('```"><img/src=x>\ncode\n```');
    expect(element.querySelector('img')).toBeNull();
    expect(element.querySelector('pre')?.textContent).toBe('code\n');
  });
  it('does not make addresses of file names', () => {
    expect(render('see main.py and https://example.org/x').querySelectorAll('a').length).toBe(1);
  });
});

describe('code and tables', () => {
  it('highlights known languages and names the language', () => {
    const element = render('```python\nprint("x")\n```');
    expect(element.querySelector('.hljs-string')?.textContent).toBe('"x"');
    expect(element.querySelector('.code-head span')?.textContent).toBe('python');
  });
  it('shows long code plain while it grows', () => {
    const code = '```c\n' + 'int x;\n'.repeat(1000);
    expect(render(code, { open: true }).querySelector('[class^=hljs]')).toBeNull();
    expect(render(code).querySelector('[class^=hljs]')).not.toBeNull();
  });
  it('aligns columns by class, without styles', () => {
    const element = render('| a | b |\n|---|--:|\n| 1 | 2 |');
    expect([...element.querySelectorAll('td')].map((cell) => cell.className)).toEqual(['', 'align-right']);
    expect(element.querySelector('[style]')).toBeNull();
  });
  it('frames tables so that wide ones scroll', () => {
    expect(render('| a | b |\n|---|---|\n| 1 | 2 |').querySelector('.table-frame[tabindex] > table td')?.textContent).toBe('1');
  });
});
