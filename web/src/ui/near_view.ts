// Tells when an element comes near the visible part of its scroller, so that far text need not be drawn.
const MARGIN = '1200px 0px';

type Callback = () => void;
const waiting = new Map<Element, Set<Callback>>();
const observers = new WeakMap<Element, IntersectionObserver>(); // one a scroller: margins do not reach through inner ones

function observerOf(element: Element): IntersectionObserver {
  const root = element.closest('.scroller') ?? document.documentElement;
  let observer = observers.get(root);
  if (!observer) {
    observer = new IntersectionObserver(
      (entries, own) => {
        for (const entry of entries) if (entry.isIntersecting) tell(entry.target, own);
      },
      { root: root === document.documentElement ? null : root, rootMargin: MARGIN },
    );
    observers.set(root, observer);
  }
  return observer;
}

function tell(element: Element, observer: IntersectionObserver): void {
  observer.unobserve(element);
  const callbacks = waiting.get(element);
  waiting.delete(element);
  callbacks?.forEach((callback) => callback());
}

/** Calls `callback` once; returns how to cancel. */
export function whenNear(element: Element, callback: Callback): () => void {
  const observer = observerOf(element);
  const callbacks = waiting.get(element) ?? new Set();
  waiting.set(element, callbacks.add(callback));
  observer.observe(element);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size > 0) return;
    waiting.delete(element);
    observer.unobserve(element);
  };
}
