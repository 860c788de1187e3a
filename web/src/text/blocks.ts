// Splits markdown into top-level blocks that can be rendered apart, so that a growing answer re-renders only its
// last block. The blocks joined give the text back. A blank line ends a block, except inside fenced code,
// display maths and lists; link definitions do not reach over blocks.

const FENCE = /^( *)(`{3,}|~{3,})([^\n]*)$/;
const LIST_ITEM = /^ {0,3}(?:([-*+])|\d{1,9}([.)]))(?:[ \t]|$)/;
const MATHS_OPEN = /^ {0,3}(\$\$|\\\[)/;
const LIST_BLOCK_LENGTH = 6000; // a longer list goes on in a new block at its next item
const MATHS_LENGTH = 5000; // an opener without its end within this is no maths

interface Fence {
  marker: string;
  length: number;
}

class LineScanner {
  private fence: Fence | null = null;
  private mathsEnd: string | null = null;
  private listMarker: string | null = null; // of a block that is a list
  private blank = true; // the line before was blank
  private blockStart = 0;
  private blockEmpty = true;
  private afterFence = false;

  constructor(private readonly text: string) {}

  /** True when the line at `at` begins a new block. */
  startsBlock(line: string, at: number): boolean {
    if (this.fence) {
      if (this.closesFence(line)) this.fence = null;
      return false;
    }
    if (this.mathsEnd) {
      if (line.includes(this.mathsEnd)) this.mathsEnd = null;
      return false;
    }
    if (line.trim() === '') {
      this.blank = true;
      return false;
    }
    const starts = !this.blockEmpty && this.breaksBefore(line, at);
    if (starts || this.blockEmpty) this.beginBlock(line, at);
    this.blank = false;
    this.afterFence = false;
    this.openSpan(line, at);
    return starts;
  }

  private beginBlock(line: string, at: number): void {
    this.blockStart = at;
    this.blockEmpty = false;
    const item = LIST_ITEM.exec(line);
    this.listMarker = item ? (item[1] ?? item[2] ?? null) : null;
  }

  private breaksBefore(line: string, at: number): boolean {
    const indented = /^(?: {2}|\t)/.test(line);
    if (this.listMarker) {
      if (!this.blank) return false;
      if (indented) return false;
      const item = LIST_ITEM.exec(line);
      const marker = item ? (item[1] ?? item[2]) : null;
      return marker !== this.listMarker || at - this.blockStart > LIST_BLOCK_LENGTH;
    }
    if (this.blank || this.afterFence) return !/^(?: {4}|\t)/.test(line) || this.afterFence;
    return FENCE.test(line) && !line.startsWith(' ');
  }

  private openSpan(line: string, at: number): void {
    const fence = FENCE.exec(line);
    if (fence?.[2] && !(fence[2].startsWith('`') && fence[3]?.includes('`'))) {
      this.fence = { marker: fence[2].charAt(0), length: fence[2].length };
      return;
    }
    const opener = MATHS_OPEN.exec(line)?.[1];
    if (!opener) return;
    const end = opener === '$$' ? '$$' : '\\]';
    const from = at + line.indexOf(opener) + 2;
    if (line.indexOf(end, line.indexOf(opener) + 2) >= 0) return;
    const close = this.text.indexOf(end, from);
    const stillOpen = close < 0 && this.text.length - from < MATHS_LENGTH;
    if (stillOpen || (close >= 0 && close - from < MATHS_LENGTH)) this.mathsEnd = end;
  }

  private closesFence(line: string): boolean {
    const fence = this.fence as Fence;
    const close = /^\s*(`{3,}|~{3,})\s*$/.exec(line)?.[1];
    const closes = close !== undefined && close.startsWith(fence.marker) && close.length >= fence.length;
    if (closes) this.afterFence = this.listMarker === null;
    return closes;
  }
}

/** Offsets at which the blocks of `text` begin; the first is 0. Empty for an empty text. */
export function blockStarts(text: string): number[] {
  if (text === '') return [];
  const scanner = new LineScanner(text);
  const starts = [0];
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    if (scanner.startsBlock(text.slice(at, end), at)) starts.push(at);
    at = end + 1;
  }
  return starts;
}

/** Splits a text that mostly grows: what was appended costs only a scan of the last two blocks. */
export class BlockSplitter {
  private text = '';
  private starts: number[] = [];

  update(text: string): string[] {
    // The line at the old end may have been incomplete: it can still join the block before the last.
    const kept = Math.max(0, this.starts.length - 2);
    if (kept > 0 && text.startsWith(this.text)) {
      const from = this.starts[kept] as number;
      const tail = blockStarts(text.slice(from)).map((start) => start + from);
      this.starts = [...this.starts.slice(0, kept), ...tail];
    } else {
      this.starts = blockStarts(text);
    }
    this.text = text;
    return this.starts.map((start, i) => text.slice(start, this.starts[i + 1] ?? text.length));
  }
}
