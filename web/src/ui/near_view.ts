// Tells when an element comes near the visible part of the page, so that far blocks need no rendering.
const MARGIN = '1500px 0px';

type Callback = () => void;
const waiting = new Map<Element, Callback>();

const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      const callback = waiting.get(entry.target);
      forget(entry.target);
      callback?.();
    }
  },
  { rootMargin: MARGIN },
);

function forget(element: Element): void {
  waiting.delete(element);
  observer.unobserve(element);
}

/** Calls `callback` once; returns how to cancel. */
export function whenNear(element: Element, callback: Callback): () => void {
  waiting.set(element, callback);
  observer.observe(element);
  return () => forget(element);
}
