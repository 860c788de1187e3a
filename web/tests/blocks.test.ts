import { describe, expect, it } from 'vitest';
import { blockStarts, BlockSplitter } from '../src/text/blocks';

function blocks(text: string): string[] {
  const starts = blockStarts(text);
  return starts.map((start, i) => text.slice(start, starts[i + 1] ?? text.length));
}

describe('blockStarts', () => {
  it('splits paragraphs at blank lines', () => {
    expect(blocks('one\ntwo\n\nthree\n')).toEqual(['one\ntwo\n\n', 'three\n']);
  });
  it('keeps fenced code whole, with blank lines and shorter fences in it', () => {
    const code = '````md\n```\n\ninner\n```\n\n````\n';
    expect(blocks(`before\n${code}after`)).toEqual(['before\n', code, 'after']);
  });
  it('keeps an unfinished fence open to the end', () => {
    expect(blocks('a\n\n```py\nx\n\n# not a heading\n\ny')).toEqual(['a\n\n', '```py\nx\n\n# not a heading\n\ny']);
  });
  it('takes no inline code for a fence', () => {
    expect(blocks('```a``` text\n\nb')).toEqual(['```a``` text\n\n', 'b']);
  });
  it('keeps a loose list together, with its continuation lines and code', () => {
    const list = '1. one\n\n   more\n\n   ```c\n   int x;\n\n   int y;\n   ```\n\n2. two\n\n';
    expect(blocks(`${list}text`)).toEqual([list, 'text']);
  });
  it('ends a list at another kind of list', () => {
    expect(blocks('- a\n\n- b\n\n1. c')).toEqual(['- a\n\n- b\n\n', '1. c']);
  });
  it('splits a very long list', () => {
    const item = `- ${'x'.repeat(500)}\n\n`;
    const found = blocks(item.repeat(40));
    expect(found.length).toBeGreaterThan(1);
    expect(found.join('')).toBe(item.repeat(40));
  });
  it('keeps display maths with blank lines whole', () => {
    const maths = '\\[\na\n\n= b\n\\]\n\n';
    expect(blocks(`${maths}text`)).toEqual([maths, 'text']);
    expect(blocks('$$x$$\n\ntext')).toEqual(['$$x$$\n\n', 'text']);
  });
  it('takes a lone $$ for text once no end is near', () => {
    expect(blocks(`$$ is a sign\n\n${'word '.repeat(2000)}`).length).toBe(2);
  });
  it('keeps indented code after a blank line with what is before it', () => {
    expect(blocks('text\n\n    code\n\ntext')).toEqual(['text\n\n    code\n\n', 'text']);
  });
});

describe('BlockSplitter', () => {
  const text =
    '# Title\n\nSome text with $x$.\n\n- a\n- b\n\n  more\n\n```py\nprint(1)\n\n\nprint(2)\n```\nafter\n\n\\[\nx\n\ny\n\\]\n\n1. one\n\n2. two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nend';

  it('gives for any way of growing what the whole text gives', () => {
    for (const step of [1, 2, 3, 7, 50]) {
      const splitter = new BlockSplitter();
      for (let length = step; length < text.length + step; length += step) {
        const part = text.slice(0, length);
        expect(splitter.update(part)).toEqual(blocks(part));
      }
    }
  });
  it('starts over when the text is another', () => {
    const splitter = new BlockSplitter();
    splitter.update('a\n\nb\n\nc\n\nd');
    expect(splitter.update('x\n\ny')).toEqual(['x\n\n', 'y']);
    expect(splitter.update('')).toEqual([]);
  });
});
