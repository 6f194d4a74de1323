/**
 * Refused calls: are the credentials refused, the account's credits used up, or is it these items alone?
 *
 * Only others can tell. A refused item is held back by its lane (`lane/items/settlement.ts`) until a call is answered that
 * left later: then the refusal was the item's own, and it becomes a failed row. When so many different items in a row
 * are refused that nobody's key becomes right by trying on, the run pauses, and none of them has failed.
 *
 * Whoever resumes has seen that. Items that were refused before count no more: refused again they become failed rows
 * as soon as others are answered, or nothing else is left; and each pause takes twice as many new items as the one
 * before, until an answer comes. So a list of items that are forbidden themselves ends after a few looks, while a key
 * that is still wrong costs no row. In a retry run one look is enough, and none where rows of its parent say that they
 * were refused: its items have failed before, so failing again loses nothing.
 */
import { REFUSED_ITEMS_KEPT, REFUSED_TO_PAUSE, USED_UP_TO_PAUSE } from "../limits.ts";
import type { Refusal, Report } from "../protocol.ts";
import type { Spec } from "../spec.ts";

export interface Refusals {
  /** Different items refused in a row, without those that were refused before a resume. */
  readonly streak: readonly number[];
  /** Counts up whenever an answered call ended a streak. */
  readonly epoch: number;
  /** Items that were refused before somebody resumed; absent: none. */
  readonly known?: readonly number[];
  /** How many of them came to be known since a call was answered; absent: none. */
  readonly doubted?: number;
  /** What the last refused call of the streak said. */
  readonly last?: Refusal;
  /** The run was paused for it and not resumed since: the items of the streak, and those refused on their way. */
  readonly paused?: readonly number[];
  /** Refusals are the items' own: the run never pauses for them. */
  readonly accepted?: true;
}

/** `accepted`: the items are known to have been refused in another run. */
export function noRefusals(accepted = false): Refusals {
  return { streak: [], epoch: 0, ...(accepted && { accepted: true }) };
}

/** Takes in a report; `pauses`: so many were refused that the run has to pause. */
export function seeRefusals(
  before: Refusals,
  seen: Report,
): { readonly refusals: Refusals; readonly pauses: boolean } {
  const tail = seen.troublesSinceAnswer === 0 ? [] : seen.troubles.slice(-seen.troublesSinceAnswer);
  const refused = tail.filter((trouble) => trouble.kind === "refused");
  if (seen.answered === 0 && refused.length === 0) return { refusals: before, pauses: false };
  const known = new Set(before.known);
  const items = refused.map(({ index }) => index).filter((index) => !known.has(index));
  const isAnswered = seen.answered > 0;
  const streak = [...new Set(isAnswered ? items : [...before.streak, ...items])].slice(-REFUSED_ITEMS_KEPT);
  const last = refused.at(-1)?.refusal ?? (isAnswered ? undefined : before.last);
  const { last: _, doubted, ...kept } = before;
  const refusals: Refusals = {
    ...kept,
    streak: before.accepted === true ? [] : streak,
    epoch: before.epoch + (isAnswered && before.streak.length > 0 ? 1 : 0),
    ...(!isAnswered && doubted !== undefined && { doubted }),
    ...(last !== undefined && { last }),
    ...(before.paused !== undefined && { paused: [...new Set([...before.paused, ...items])] }),
  };
  const most = last?.because === "used-up" ? USED_UP_TO_PAUSE : REFUSED_TO_PAUSE;
  return { refusals, pauses: refusals.streak.length >= most + (refusals.doubted ?? 0) };
}

/** The run has paused for them. */
export function pauseRefusals(before: Refusals): Refusals {
  return { ...before, paused: before.streak };
}

/** The refusals of a run that somebody resumes; `isRetry`: its items have failed before. */
export function resumeRefusals(before: Refusals, isRetry: boolean): Refusals {
  const { paused, last: _, ...kept } = before;
  const ended = { ...kept, streak: [], epoch: before.epoch + 1 };
  if (paused === undefined) return ended;
  const known = [...(before.known ?? []), ...paused].slice(-REFUSED_ITEMS_KEPT);
  const doubted = (before.doubted ?? 0) + paused.length;
  return { ...ended, known, doubted, ...(isRetry && { accepted: true }) };
}

/** While they go on and the run does not pause yet: what `why` says; null: too few to speak of. */
export function refusedInARow({ streak, last }: Refusals): string | null {
  if (streak.length <= UNREMARKABLE) return null;
  return `the target refused ${streak.length} items in a row (${last?.message ?? WHAT})`;
}

/** One or two may always be the items' own. */
const UNREMARKABLE = 2;
const WHAT = "401 or 403";

/** What the run is paused with: who refuses, in the target's own words. */
export function refusalSentence(spec: Spec, { last }: Refusals): string {
  const said = last?.message ?? WHAT;
  const because = last?.because;
  switch (because) {
    case "used-up":
      return `the target says that the credits or the quota are used up (${said})`;
    case "rule":
      return `the target refuses all (${said}), as a rule of the spec says`;
    case undefined:
      break;
    default:
      because satisfies never;
  }
  if (sendsSecret(spec)) return `the target refuses the credentials (${said}); ${OWN}`;
  return `the target refuses every call (${said}), and the spec sends no credentials; ${OWN}`;
}

const OWN = "resumed, items that it refuses again become failed rows";

/** A credential stands in a spec as a secret and nowhere else. */
function sendsSecret({ task }: Spec): boolean {
  return /\{\{\s*secret:/.test(JSON.stringify(task));
}
