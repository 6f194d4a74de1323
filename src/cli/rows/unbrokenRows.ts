/**
 * Rows of a process that may end while it sends them: they go on with whoever has the state folder next, or a runtime of
 * one's own. The next stream begins anew, and perhaps in another order, because rows were committed meanwhile: rows that
 * came already are known by their index and left out.
 */
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "../connection.ts";

/** Streams that break off again and again without a new row are not opened for longer. */
const PATIENCE_MS = 10_000;
const AGAIN_MS = 100;
const LINE_END = 10;

/**
 * What `open` gives, every row once, through the ends of those who send it. Rejects as `open` does at first; the stream
 * fails with what broke it off for good.
 */
export async function unbrokenRows(
  connection: Pick<Connection, "kind">,
  open: () => Promise<Readable>,
  patienceMs = PATIENCE_MS,
): Promise<Readable> {
  const first = await open();
  if (connection.kind !== "owner") return first;
  return Readable.from(linesOf(first, { connection, open, patienceMs }), { objectMode: false });
}

interface Again {
  readonly connection: Pick<Connection, "kind">;
  readonly open: () => Promise<Readable>;
  readonly patienceMs: number;
}

async function* linesOf(
  first: Readable,
  { connection, open, patienceMs }: Again,
): AsyncGenerator<Buffer, void> {
  const came = new Indexes();
  let rows = first;
  let newRowMs = Date.now();
  for (let isFirst = true; ; isFirst = false) {
    const before = came.count;
    try {
      yield* wholeLines(rows, (lines) => (isFirst ? noted(lines, came) : newOf(lines, came)));
      return;
    } catch (fault) {
      if (came.count > before) newRowMs = Date.now();
      if (connection.kind !== "owner" || Date.now() - newRowMs > patienceMs) throw fault;
    } finally {
      rows.destroy();
    }
    await sleep(AGAIN_MS);
    rows = await open();
  }
}

/** Whole lines as they come, and at the end what is left without a line's end. */
async function* wholeLines(rows: Readable, take: (lines: Buffer) => Buffer): AsyncGenerator<Buffer, void> {
  let open: Buffer = Buffer.alloc(0);
  for await (const chunk of rows) {
    const bytes = Buffer.concat([open, chunk as Buffer]);
    const end = bytes.lastIndexOf(LINE_END) + 1;
    const lines = take(bytes.subarray(0, end));
    if (lines.length > 0) yield lines;
    open = bytes.subarray(end);
  }
  if (open.length > 0) yield take(open);
}

function noted(lines: Buffer, came: Indexes): Buffer {
  for (const line of linesIn(lines)) came.add(line);
  return lines;
}

function newOf(lines: Buffer, came: Indexes): Buffer {
  return Buffer.concat([...linesIn(lines)].filter((line) => came.add(line)));
}

function* linesIn(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(LINE_END, at) + 1 || bytes.length;
    yield bytes.subarray(at, end);
    at = end;
  }
}

const HEAD = Buffer.from('{"index":');
/** Indexes of one block, one bit each. */
const BLOCK = 65_536;

/** Which rows came, by their index: a bit for each, so that millions need little. */
class Indexes {
  readonly #blocks = new Map<number, Uint8Array>();
  count = 0;

  /** False: a row of this index came before. What has none counts as new. */
  add(line: Buffer): boolean {
    const index = indexOf(line);
    if (index === null) return true;
    const at = index % BLOCK;
    const bit = 1 << (at & 7);
    const block = this.#block((index - at) / BLOCK);
    const before = block[at >> 3] ?? 0;
    if ((before & bit) !== 0) return false;
    block[at >> 3] = before | bit;
    this.count += 1;
    return true;
  }

  #block(number: number): Uint8Array {
    const known = this.#blocks.get(number);
    if (known !== undefined) return known;
    const made = new Uint8Array(BLOCK / 8);
    this.#blocks.set(number, made);
    return made;
  }
}

/** Of a row's line, whose first key it is. */
function indexOf(line: Buffer): number | null {
  if (!line.subarray(0, HEAD.length).equals(HEAD)) return null;
  const [digits] = /^\d{1,15}/.exec(line.toString("latin1", HEAD.length, HEAD.length + 16)) ?? [];
  return digits === undefined ? null : Number(digits);
}
