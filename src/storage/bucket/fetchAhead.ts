/**
 * Ordered read-ahead: up to `ahead` fetches run at once, results come in the order of the source.
 * Bounded: never more than `ahead` results are held. The first failure ends the sequence, after what came before it.
 *
 * A source that takes its time (a run that is followed) holds nothing back: what was fetched is handed on meanwhile.
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
  let asked: Promise<IteratorResult<T>> | null = null;
  let ended = false;
  try {
    for (;;) {
      if (!ended && waiting.length < ahead) asked ??= started(iterator.next());
      const [first] = waiting;
      if (first === undefined && asked === null) return;
      if (asked !== null && (first === undefined || (await isSooner(asked, first.result)))) {
        const next: IteratorResult<T> = await asked;
        asked = null;
        if (next.done) ended = true;
        else waiting.push({ of: next.value, result: started(fetch(next.value)) });
        continue;
      }
      if (first === undefined) continue;
      yield { of: first.of, result: await first.result };
      waiting.shift();
    }
  } finally {
    await iterator.return?.();
  }
}

/** Whether the source has answered before the fetch; one that failed has not. */
function isSooner(asked: Promise<unknown>, fetched: Promise<unknown>): Promise<boolean> {
  const never = new Promise<never>(() => {});
  return Promise.race([
    asked.then(
      () => true,
      () => never,
    ),
    fetched.then(
      () => false,
      () => false,
    ),
  ]);
}

/** What fails before its turn is reported at its turn, not as an unhandled rejection. */
function started<R>(promise: Promise<R>): Promise<R> {
  promise.catch(() => {});
  return promise;
}
