/**
 * Insisting: a platform call is repeated with growing delays while the lane's lease lasts, for a bounded time.
 *
 * A platform fault never becomes a failed row: what does not succeed here is handed back with a sentence that says
 * who refused.
 */
import { INSIST_FIRST_MS, INSIST_MAX_MS, LEASE_TTL_MS } from "../../core/limits.ts";
import { SourceError } from "../../sources/source.ts";
import { messageOf } from "../../tasks/faults.ts";
import { CannotOpen, SecretMissing } from "../../tasks/task.ts";
import { type Clock, sleep } from "../clock.ts";

/** So many refusals in a row are told while the insisting goes on: one alone is nothing to speak of. */
const TOLD_FROM_TRIES = 3;

export type Insisted<T> =
  | { readonly kind: "ok"; readonly value: T }
  /** Still refused after a lease's term; `trouble` is a sentence for `why`. */
  | { readonly kind: "refused"; readonly trouble: string }
  /** The lane lost its lease meanwhile. */
  | { readonly kind: "lost" };

export interface InsistContext {
  readonly clock: Clock;
  /** Ends with the lease. */
  readonly signal: AbortSignal;
  readonly forMs?: number;
  /** Told who refuses, again and again while it lasts. */
  readonly refused?: (sentence: string) => void;
}

/** Runs `act` until it succeeds. `what` names who may refuse. Rethrows what trying again would not help. */
export async function insist<T>(
  what: string,
  act: () => Promise<T>,
  context: InsistContext,
): Promise<Insisted<T>> {
  const { clock, signal } = context;
  const endMs = clock.now() + (context.forMs ?? LEASE_TTL_MS);
  for (let tries = 1; ; tries++) {
    if (signal.aborted) return { kind: "lost" };
    try {
      return { kind: "ok", value: await act() };
    } catch (fault) {
      if (isForGood(fault)) throw fault;
      const waitMs = Math.min(INSIST_FIRST_MS * 2 ** (tries - 1), INSIST_MAX_MS) * (0.5 + clock.random() / 2);
      const trouble = `${what} refuses: ${messageOf(fault)}`;
      if (tries >= TOLD_FROM_TRIES) context.refused?.(trouble);
      if (clock.now() + waitMs > endMs) return { kind: "refused", trouble };
      await sleep(clock, waitMs, signal);
    }
  }
}

function isForGood(fault: unknown): boolean {
  return fault instanceof SourceError || fault instanceof CannotOpen || fault instanceof SecretMissing;
}
