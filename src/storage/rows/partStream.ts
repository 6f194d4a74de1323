/**
 * Committed parts as one stream of NDJSON, in the order given, a few read ahead.
 * A part that is missing or not as its commit says (size, hash) errors the stream: it is never closed as if
 * complete, unless whoever asked takes note of the part and wants the others. Without a filter bytes pass through unread.
 */
import { PARTS_AHEAD, PARTS_PER_CALL } from "../../core/limits.ts";
import type { PartMeta } from "../../core/protocol.ts";
import { again } from "../bucket/again.ts";
import { answered } from "../bucket/answered.ts";
import { type ObjectCount, uncounted } from "../bucket/count.ts";
import { fetchAhead } from "../bucket/fetchAhead.ts";
import { decodePart, encodePart, sha256Hex } from "./parts.ts";

export type RowFilter = "ok" | "failed";

export interface StreamOptions {
  /** Only rows that are ok, or only failed ones. */
  readonly filter?: RowFilter | undefined;
  /** Rows left out at the beginning, of those that the filter keeps. */
  readonly skip?: number;
  readonly count?: ObjectCount;
  readonly unreadable?: TakesNote;
}

/** Is given each part that cannot be read. Once it has resolved that part is left out; what it throws goes on. */
export type TakesNote = (fault: PartError) => Promise<void>;

/** Streams the rows of `parts`: of those that `filter` keeps all but the first `skip`. */
export function streamParts(
  bucket: R2Bucket,
  parts: AsyncIterable<PartMeta>,
  { filter, skip = 0, count = uncounted, unreadable = raise }: StreamOptions = {},
): ReadableStream<Uint8Array> {
  const fetched = fetchAhead(wanted(parts, filter, skip), PARTS_AHEAD, ({ part }) =>
    readablePart(() => partBytes(bucket, part, count), unreadable),
  );
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const next = await fetched.next();
        if (next.done) return controller.close();
        const { of, result } = next.value;
        if (result === null) continue;
        const bytes = withoutFirst(kept(of.part, result, filter), of.skip);
        if (bytes.byteLength > 0) return controller.enqueue(bytes);
      }
    },
    async cancel() {
      await fetched.return(undefined);
    },
  });
}

/** Takes note of none. */
export async function raise(fault: PartError): Promise<never> {
  throw fault;
}

/** What `read` gives; null for a part that cannot be read, of which `unreadable` took note. */
export async function readablePart<T>(read: () => Promise<T>, unreadable: TakesNote): Promise<T | null> {
  try {
    return await read();
  } catch (fault) {
    if (!(fault instanceof PartError)) throw fault;
    await unreadable(fault);
    return null;
  }
}

/** A committed part is not as it was committed: reading it again changes nothing. */
export class PartError extends Error {
  readonly part: PartMeta;
  readonly problem: string;

  constructor(part: PartMeta, problem: string) {
    super(`part ${part.key} cannot be read: ${problem}`);
    this.part = part;
    this.problem = problem;
  }
}

/** A committed part's bytes. Throws a `PartError` when they are not there or not those of the commit. */
export async function partBytes(
  bucket: R2Bucket,
  part: PartMeta,
  count: ObjectCount = uncounted,
): Promise<Uint8Array> {
  const bytes = await again(async () => {
    count("r2ClassB", 1);
    return answered(async () => (await bucket.get(part.key))?.bytes());
  });
  if (bytes === undefined) throw new PartError(part, "it is missing");
  if (bytes.byteLength !== part.bytes)
    throw new PartError(part, `it has ${bytes.byteLength} bytes, not ${part.bytes}`);
  if ((await sha256Hex(bytes)) !== part.sha256)
    throw new PartError(part, "its bytes are not those that were written");
  return bytes;
}

/** All committed parts of a run in chunk order, asked for page by page. */
export async function* partsInOrder(
  run: {
    partsInOrder(after: { chunk: number; n: number } | null, limit: number): Promise<PartMeta[]>;
  },
  from: { readonly chunk: number; readonly n: number } | null = null,
): AsyncGenerator<PartMeta> {
  let after = from === null ? null : { ...from };
  for (;;) {
    const page = await run.partsInOrder(after, PARTS_PER_CALL);
    yield* page;
    const last = page[page.length - 1];
    if (last === undefined || page.length < PARTS_PER_CALL) return;
    after = { chunk: last.chunk, n: last.n };
  }
}

/** A part, and how many of its rows are left out. */
interface WantedPart {
  readonly part: PartMeta;
  readonly skip: number;
}

/** Parts of which no row is wanted are not even read. */
async function* wanted(
  parts: AsyncIterable<PartMeta>,
  filter: RowFilter | undefined,
  skip: number,
): AsyncGenerator<WantedPart> {
  let left = skip;
  for await (const part of parts) {
    const rows = filter === undefined ? part.ok + part.failed : part[filter];
    if (rows > left) yield { part, skip: left };
    left = Math.max(0, left - rows);
  }
}

const LINE_END = 10;

/** The rows after the first `skip`. */
function withoutFirst(bytes: Uint8Array, skip: number): Uint8Array {
  let at = 0;
  for (let row = 0; row < skip; row++) at = bytes.indexOf(LINE_END, at) + 1;
  return bytes.subarray(at);
}

function kept(part: PartMeta, bytes: Uint8Array, filter: RowFilter | undefined): Uint8Array {
  const others = filter === "ok" ? part.failed : part.ok;
  return filter === undefined || others === 0 ? bytes : keptRows(bytes, filter);
}

/** Of whole rows those that are ok, or those that failed. */
export function keptRows(bytes: Uint8Array, filter: RowFilter): Uint8Array {
  return encodePart(decodePart(bytes).filter((row) => row.ok === (filter === "ok")));
}
