/** How a run ended, in one sentence: whoever does not see the page hears it, and nothing else, at that moment. */
import type { Format, Messages } from '../../i18n';
import { endingOf, type Ended } from '../../state/run-end';

/** @param t words and figures of the page's language */
export function endSentence(run: Ended, t: Messages['train'], format: Format): string {
  const { how, step, totalSteps, patience, best, lastLoss } = endingOf(run);
  const { announceEnd } = t;
  const figure = best
    ? announceEnd.best(best.step, bestFigure(best, t, format))
    : lastLoss === undefined
      ? ''
      : announceEnd.lastLoss(format.loss(lastLoss));
  const head =
    how === 'early'
      ? announceEnd.early(step, totalSteps, patience ?? 1)
      : announceEnd[how](step, totalSteps);
  return announceEnd.whole(head, run.elapsedMs > 0 ? format.duration(run.elapsedMs) : '', figure);
}

/** Its value by the figure that counts; empty where the record does not tell. */
export function bestFigure(
  { metric, value }: NonNullable<ReturnType<typeof endingOf>['best']>,
  t: Messages['train'],
  { loss, percent }: Pick<Format, 'loss' | 'percent'>,
): string {
  if (value === undefined) return '';
  return t.bestFigure[metric]((metric === 'eval_loss' ? loss : percent)(value));
}
