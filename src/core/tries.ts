/** How often an item was tried before, and how: what waits with it, in the lane and in every checkpoint. */

export interface Tries {
  readonly attempts: number;
  readonly throttles: number;
  /** Milliseconds it has waited for having been throttled, in all; absent: 0. */
  readonly throttledForMs?: number;
  /** The longest wait that the target asked of it, milliseconds; absent: none. */
  readonly announcedMs?: number;
  /** Answers that were of no use; absent: none. */
  readonly useless?: number;
  /** Answers that said "not ready, ask again"; absent: none. */
  readonly agains?: number;
  /** A try ended without an answer or with a 5xx: what it began may still go on at the target. */
  readonly unanswered?: true;
}

export const NO_TRIES: Tries = { attempts: 0, throttles: 0 };

/** The tries alone, of something that carries them among other things. */
export function triesOf({ attempts, throttles, ...more }: Tries): Tries {
  const { throttledForMs, announcedMs, useless, agains, unanswered } = more;
  return {
    attempts,
    throttles,
    ...(throttledForMs === undefined ? {} : { throttledForMs }),
    ...(announcedMs === undefined ? {} : { announcedMs }),
    ...(useless === undefined ? {} : { useless }),
    ...(agains === undefined ? {} : { agains }),
    ...(unanswered === undefined ? {} : { unanswered }),
  };
}
