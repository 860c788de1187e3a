// Puts KaTeX's output where the renderer left TeX. KaTeX builds nodes and sets styles through the style object, which
// a policy without inline styles allows; as HTML text the same styles would be refused.
import katex from 'katex';

const CACHE_SIZE = 1000;
const cache = new Map<string, Element>(); // what was typeset, to be cloned: an open block is drawn again and again

function typeset(tex: string, display: boolean): Element | null {
  const key = (display ? 'd' : 'i') + tex;
  let node = cache.get(key);
  if (!node) {
    const holder = document.createElement('span');
    try {
      katex.render(tex, holder, { displayMode: display, trust: false, strict: false, maxExpand: 1000, maxSize: 40 });
    } catch {
      return null;
    }
    node = holder.firstElementChild ?? holder;
    if (cache.size >= CACHE_SIZE) cache.delete(cache.keys().next().value as string);
    cache.set(key, node);
  }
  return node.cloneNode(true) as Element;
}

export function enhance(block: Element): void {
  for (const span of block.querySelectorAll<HTMLElement>('span.math')) {
    const node = typeset(span.textContent ?? '', span.classList.contains('math-display'));
    if (node) span.replaceChildren(node);
    else span.classList.add('math-error'); // shown as it was written
  }
}
