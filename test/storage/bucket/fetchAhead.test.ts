/** Reading ahead keeps the order and a bound, and holds nothing back that is there. */
import { describe, expect, test } from "vitest";
import { fetchAhead } from "../../../src/storage/bucket/fetchAhead.ts";

async function* each<T>(values: readonly T[], fault?: Error): AsyncGenerator<T> {
  yield* values;
  if (fault !== undefined) throw fault;
}

async function resultsOf(fetched: AsyncIterable<{ readonly result: number }>): Promise<number[]> {
  const results: number[] = [];
  for await (const { result } of fetched) results.push(result);
  return results;
}

describe("fetchAhead", () => {
  test("yields in the order of the source, with no more than `ahead` fetches at once", async () => {
    let running = 0;
    let most = 0;
    const fetch = async (n: number) => {
      most = Math.max(most, ++running);
      for (let turn = 0; turn < 10 - n; turn++) await new Promise(setImmediate);
      running -= 1;
      return n;
    };
    expect(await resultsOf(fetchAhead(each([0, 1, 2, 3, 4, 5, 6, 7]), 3, fetch))).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ]);
    expect(most).toBe(3);
  });

  test("hands on what is there while the source takes its time", async () => {
    let goOn = () => {};
    const source = (async function* () {
      yield 1;
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      yield 2;
    })();
    const fetched = fetchAhead(source, 6, async (n) => n);
    expect((await fetched.next()).value).toEqual({ of: 1, result: 1 });
    const second = fetched.next();
    goOn();
    expect((await second).value).toEqual({ of: 2, result: 2 });
    expect((await fetched.next()).done).toBe(true);
  });

  test("gives what came before a failure, of the source or of a fetch", async () => {
    const seen: number[] = [];
    const read = async (fetched: AsyncIterable<{ readonly result: number }>) => {
      for await (const { result } of fetched) seen.push(result);
    };
    await expect(read(fetchAhead(each([1, 2], new Error("source")), 4, async (n) => n))).rejects.toThrow(
      "source",
    );
    const failing = async (n: number) => {
      if (n === 4) throw new Error("fetch");
      return n;
    };
    await expect(read(fetchAhead(each([3, 4, 5]), 4, failing))).rejects.toThrow("fetch");
    expect(seen).toEqual([1, 2, 3]);
  });
});
