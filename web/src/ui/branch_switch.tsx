// The <2/3> between versions of a question or an answer.
import { t } from '../i18n';
import { showBranch } from '../state/conversation';
import type { Place } from '../state/tree';
import { IconButton } from './controls';

export function BranchSwitch({ place }: { place: Place }) {
  if (place.count < 2) return null;
  const { previous, next, position, count } = place;
  return (
    <span class="branch" role="group" aria-label={t('branchPlace', { n: position, count })}>
      <IconButton icon="left" label={t('previousBranch')} disabled={previous === null} onClick={() => previous && showBranch(previous)} />
      <span aria-hidden="true">
        {position}/{count}
      </span>
      <IconButton icon="right" label={t('nextBranch')} disabled={next === null} onClick={() => next && showBranch(next)} />
    </span>
  );
}
