/**
 * Ordered read-ahead: up to `ahead` fetches run at once, results come in the order of the source.
 * Bounded: never more than `ahead` results are held. The first failure ends the sequence.
 */

/** What was asked for, together with what came. */
export interface Fetched<T, R> {
  readonly of: T;
  readonly result: R;
}

/** Yields `fetch(x)` for every x of `source`, in order. Throws what the source or a fetch throws. */
export async function* fetchAhead<T, R>(
  source: AsyncIterable<T>,
  ahead: number,
  fetch: (of: T) => Promise<R>,
): AsyncGenerator<Fetched<T, R>> {
  const iterator = source[Symbol.asyncIterator]();
  const waiting: { of: T; result: Promise<R> }[] = [];
  let ended = false;
  try {
    for (;;) {
      while (!ended && waiting.length < ahead) {
        const next = await iterator.next();
        if (next.done) ended = true;
        else waiting.push({ of: next.value, result: started(fetch(next.value)) });
      }
      const first = waiting.shift();
      if (first === undefined) return;
      yield { of: first.of, result: await first.result };
    }
  } finally {
    await iterator.return?.();
  }
}

/** A fetch that fails before its turn is reported at its turn, not as an unhandled rejection. */
function started<R>(fetching: Promise<R>): Promise<R> {
  fetching.catch(() => {});
  return fetching;
}
