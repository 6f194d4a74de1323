/** Rows that are read while the process that sends them ends: every one comes once. */
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { unbrokenRows } from "../../src/cli/rows/unbrokenRows.ts";

const row = (index: number) => `{"index":${index},"item":"u_${index}","ok":true}\n`;
const lines = (...indexes: number[]) => indexes.map(row).join("");

/** A stream of pieces; with a fault it breaks off after them. */
function stream(pieces: readonly string[], fault: Error | null = null): Readable {
  return Readable.from(
    (function* () {
      for (const piece of pieces) yield Buffer.from(piece);
      if (fault !== null) throw fault;
    })(),
  );
}

const GONE = new Error("aborted");

/** Opens one stream after the other; the last one is of a runtime of one's own. */
function opening(streams: readonly (() => Readable)[]) {
  let opened = 0;
  const connection = {
    get kind() {
      return opened < streams.length ? ("owner" as const) : ("own" as const);
    },
  };
  const open = async () => {
    const next = streams[opened++];
    if (next === undefined) throw new Error("opened too often");
    return next();
  };
  return { connection, open, opened: () => opened };
}

describe("rows of a process that ends", () => {
  it("go on with the next one, without those that came, in whatever order they come then", async () => {
    const half = row(7).slice(0, 12);
    const { connection, open } = opening([
      () => stream([lines(0, 3), row(70_000) + half], GONE),
      () => stream([lines(0, 1, 3), lines(7)], GONE),
      () => stream([lines(70_000, 7, 0, 2), lines(3, 1, 5)]),
    ]);
    expect(await text(await unbrokenRows(connection, open))).toBe(lines(0, 3, 70_000, 1, 7, 2, 5));
  });

  it("are passed on as they are where nothing breaks off", async () => {
    const { connection, open, opened } = opening([() => stream([lines(0), "no row"]), () => stream([])]);
    expect(await text(await unbrokenRows(connection, open))).toBe(`${lines(0)}no row`);
    expect(opened()).toBe(1);
  });

  it("fail where a runtime of one's own breaks off, and where no new row comes for long", async () => {
    const own = opening([() => stream([lines(0)], GONE), () => stream([lines(0, 1)], GONE)]);
    await expect(text(await unbrokenRows(own.connection, own.open))).rejects.toThrow("aborted");
    expect(own.opened()).toBe(2);
    const stuck = opening(Array.from({ length: 50 }, () => () => stream([lines(0)], GONE)));
    await expect(text(await unbrokenRows(stuck.connection, stuck.open, 250))).rejects.toThrow("aborted");
    expect(stuck.opened()).toBeGreaterThan(1);
  });

  it("are not begun where they are refused at first", async () => {
    const refused = async () => {
      throw new Error("no run r_1");
    };
    await expect(unbrokenRows({ kind: "owner" }, refused)).rejects.toThrow("no run r_1");
  });
});
