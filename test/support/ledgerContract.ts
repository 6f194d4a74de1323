/** What every implementation of the ledger's port does; run against the map and against SQLite. */
import { describe, expect, it } from "vitest";
import {
  bringForward,
  type ChunkRecord,
  type Ledger,
  newChunk,
  PARKED_MS,
} from "../../src/core/run/ledger.ts";

/** `withLedger` gives the test an empty ledger. */
export function ledgerContract(
  name: string,
  withLedger: (test: (ledger: Ledger) => void) => Promise<void>,
): void {
  const rule = (text: string, test: (ledger: Ledger) => void) => it(text, () => withLedger(test));

  describe(`ledger port: ${name}`, () => {
    rule("gives back exactly what was put", (ledger) => {
      const record: ChunkRecord = {
        ...newChunk(3, { first: 30, count: 4, indexes: [30, 31, 35, 39], position: '{"at":7}' }),
        state: "active",
        cursor: 2,
        position: 123,
        deferred: [{ ordinal: 1, position: 9, attempts: 2, throttles: 1, dueAtMs: 5000.5 }],
        parts: 1,
        ok: 1,
        availableAtMs: 0,
        expiries: 1,
        refusals: 2,
        announced: 1,
        deaths: { 1: 2 },
        adopt: true,
        careful: true,
      };
      ledger.put(record);
      expect(ledger.get(3)).toEqual(record);
      expect(ledger.get(4)).toBeUndefined();
    });

    rule("a record that was read changes nothing until it is put", (ledger) => {
      ledger.put(plain(0));
      ledger.get(0)!.cursor = 5;
      expect(ledger.get(0)?.cursor).toBe(0);
    });

    rule("gives fresh chunks in order and passes over active and done ones", (ledger) => {
      ledger.put({ ...plain(0), state: "done" });
      ledger.put({ ...plain(1), state: "active" });
      ledger.put(plain(3));
      ledger.put(plain(2));
      expect(ledger.nextAvailable(0, true)?.chunk).toBe(2);
    });

    rule("prefers the chunk that is due longest, exactly from its instant on", (ledger) => {
      ledger.put(plain(0));
      ledger.put({ ...plain(5), availableAtMs: 200 });
      ledger.put({ ...plain(4), availableAtMs: 300 });
      expect(ledger.nextAvailable(199, true)?.chunk).toBe(0);
      expect(ledger.nextAvailable(200, true)?.chunk).toBe(5);
      expect(ledger.nextAvailable(9999, true)?.chunk).toBe(5);
      expect(ledger.nextAvailableAtMs()).toBe(200);
    });

    rule("names chunks that wait for longer, and not those that are parked", (ledger) => {
      ledger.put(plain(0));
      ledger.put({ ...plain(1), availableAtMs: 9000 });
      ledger.put({ ...plain(2), availableAtMs: 1000 });
      ledger.put({ ...plain(3), availableAtMs: PARKED_MS });
      ledger.put({ ...plain(4), availableAtMs: 9000, state: "active" });
      expect(ledger.waitingBeyond(1000, 10).map(({ chunk }) => chunk)).toEqual([1]);
      expect(ledger.waitingBeyond(500, 1)).toHaveLength(1);
      bringForward(ledger, 800);
      expect([0, 1, 2, 3].map((chunk) => ledger.get(chunk)?.availableAtMs)).toEqual([0, 800, 800, PARKED_MS]);
    });

    rule("gives careful chunks only where they are wanted", (ledger) => {
      ledger.put({ ...plain(0), careful: true });
      ledger.put(plain(1));
      expect(ledger.nextAvailable(0, false)?.chunk).toBe(1);
      expect(ledger.nextAvailable(0, true)?.chunk).toBe(0);
    });

    rule("knows nothing available when nothing is pending", (ledger) => {
      ledger.put({ ...plain(0), state: "active" });
      expect(ledger.nextAvailable(0, true)).toBeUndefined();
      expect(ledger.nextAvailableAtMs()).toBeNull();
    });

    rule("marks a part indexed once", (ledger) => {
      const part = {
        chunk: 0,
        n: 0,
        key: "k",
        firstIndex: 0,
        lastIndex: 1,
        ok: 1,
        failed: 1,
        bytes: 9,
        sha256: "s",
      };
      ledger.addPart(part, 1, false);
      expect([ledger.markIndexed(0, 0), ledger.markIndexed(0, 0), ledger.markIndexed(0, 1)]).toEqual([
        true,
        false,
        false,
      ]);
    });
  });
}

function plain(chunk: number): ChunkRecord {
  return newChunk(chunk, { first: chunk * 10, count: 10, position: "" });
}
