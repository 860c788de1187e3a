// Keeps a scroller at its end while its content grows, and lets go as soon as the reader scrolls up.
import { signal, type Signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { RefObject } from 'preact';

const NEAR_END = 48; // pixels

export interface FollowEnd {
  following: Signal<boolean>;
  toEnd: () => void;
}

export function useFollowEnd(scroller: RefObject<HTMLElement>, content: RefObject<HTMLElement>): FollowEnd {
  const following = useMemo(() => signal(true), []);

  function toEnd(): void {
    following.value = true;
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  }

  useEffect(() => {
    const element = scroller.current;
    if (!element || !content.current) return;
    let lastTop = element.scrollTop;
    let lastHeight = element.scrollHeight;
    function onScroll(): void {
      if (!element) return;
      const { scrollTop, scrollHeight, clientHeight } = element;
      const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
      // A shrinking page moves up by itself: that is not the reader.
      const movedUp = scrollTop < lastTop - 2 && scrollHeight >= lastHeight;
      if (movedUp && !atEnd) following.value = false;
      else if (atEnd && scrollTop > lastTop) following.value = true;
      lastTop = scrollTop;
      lastHeight = scrollHeight;
    }
    function onWheel(event: WheelEvent): void {
      if (event.deltaY < 0) following.value = false;
    }
    const resized = new ResizeObserver(() => {
      if (following.value) element.scrollTop = element.scrollHeight;
    });
    resized.observe(content.current);
    resized.observe(element);
    element.addEventListener('scroll', onScroll, { passive: true });
    element.addEventListener('wheel', onWheel, { passive: true });
    return () => {
      resized.disconnect();
      element.removeEventListener('scroll', onScroll);
      element.removeEventListener('wheel', onWheel);
    };
  }, []);

  return { following, toEnd };
}
