/**
 * Source `input`: a stored upload as lines of text (`lines`), as one JSON document a line (`jsonl`), or as CSV
 * records with a header (`csv`: an item is an object, its keys the header's columns, its values text).
 *
 * Planning reads nothing but the upload's index of lines or records. Records are found and checked by one pass when
 * the first run pins the upload as CSV: a malformed one refuses the run before any call. A chunk's position is where to begin and where to stop
 * reading: `<item>:<byte>:<byte>`. Reading goes in windows by ranged requests, from the nearest known byte.
 */
import { csvFields } from "../core/csv.ts";
import { parseJson } from "../core/json.ts";
import { LINE_INDEXES_KEPT, SOURCE_WINDOW_BYTES } from "../core/limits.ts";
import type { ChunkPlan } from "../core/protocol.ts";
import type { Json } from "../core/spec.ts";
import { CSV_FRAMING } from "../storage/inputs/csvScanner.ts";
import type { LineIndex } from "../storage/inputs/lineIndex.ts";
import { type Line, LineReader, type ReadRange } from "../storage/inputs/lineReader.ts";
import {
  csvIndexOf,
  indexCsv,
  lineIndexOf,
  type PinnedUpload,
  rangeReader,
} from "../storage/inputs/uploadLines.ts";
import { indexAt, planContiguous } from "./contiguous.ts";
import type { InputSettings } from "./schemas.ts";
import { type Item, type Source, type SourceContext, SourceError } from "./source.ts";

export const inputSource: Source<InputSettings> = {
  kind: "input",
  async pin(settings, context) {
    const upload = settings.upload ?? (await newestUpload(settings.name, context));
    if (upload === undefined)
      throw new SourceError(
        "source.name",
        `there is no input named ${settings.name}: store it first (PUT /v1/inputs/${settings.name})`,
      );
    const pinned = { ...settings, upload };
    if (settings.format === "csv") await makeCsvIndex(pinned, context);
    const index = await indexOf(pinned, context);
    if (index.items === 0) return { settings: pinned, items: 0, first: null };
    const chunk = { first: 0, count: 1, position: positionOf(index, 0, 1) };
    const first = await inputSource.read(pinned, chunk, { ordinal: 0, position: null }, context).next();
    return { settings: pinned, items: index.items, first: first.value?.value ?? null };
  },
  async plan(settings, chunkSize, cursor, context) {
    const index = await indexOf(settings, context);
    return planContiguous(index.items, chunkSize, cursor, (first, count) => positionOf(index, first, count));
  },
  read: readChunk,
};

/** Undefined when there is no input of that name. Lanes never ask, so what reads its record is loaded when it is needed. */
async function newestUpload(name: string, { env, count }: SourceContext): Promise<string | undefined> {
  const { getInput } = await import("../storage/inputs/inputs.ts");
  return (await getInput(env.BUCKET, name, count))?.upload;
}

async function* readChunk(
  settings: InputSettings,
  chunk: ChunkPlan,
  from: { readonly ordinal: number; readonly position: number | null },
  context: SourceContext,
): AsyncGenerator<Item> {
  if (from.ordinal >= chunk.count) return;
  let wanted = indexAt(chunk, from.ordinal);
  const reach = await reachOf(settings, chunk, wanted, context);
  const lines = readerOf(settings, reach.totalBytes, context);
  const columns = settings.format === "csv" ? await columnsOf(settings, reach.totalBytes, context) : null;
  let at = from.position === null ? reach.start.item : wanted;
  lines.seek(from.position ?? reach.start.byte);

  for (let ordinal = from.ordinal; ordinal < chunk.count; ) {
    const near = reach.index?.before(wanted);
    if (near !== undefined && near.item > at && near.byte > lines.bufferedTo() + SOURCE_WINDOW_BYTES) {
      lines.seek(near.byte);
      at = near.item;
    }
    const line = lines.take();
    if (line === null) {
      if (await lines.fill(reach.endByte)) continue;
      throw new Error(`input ${settings.name} ends before item ${wanted}`);
    }
    if (at++ < wanted) continue;
    yield itemOf(settings, columns, line, { index: wanted, ordinal });
    if (++ordinal < chunk.count) wanted = indexAt(chunk, ordinal);
  }
}

/** Where to begin, where reading can stop, and the index when items in between may be passed over. */
interface Reach {
  readonly start: { readonly item: number; readonly byte: number };
  readonly endByte: number;
  readonly totalBytes: number;
  readonly index: LineIndex | null;
}

/** A planned chunk knows its reach; one with gaps (of a retry run) asks the line index. */
async function reachOf(
  settings: InputSettings,
  chunk: ChunkPlan,
  wanted: number,
  context: SourceContext,
): Promise<Reach> {
  const [item, byte, endByte, totalBytes] = chunk.position.split(":").map(Number);
  if (
    chunk.indexes === undefined &&
    item !== undefined &&
    byte !== undefined &&
    endByte !== undefined &&
    totalBytes !== undefined
  )
    return { start: { item, byte }, endByte, totalBytes, index: null };
  const index = await indexOf(settings, context);
  return {
    start: index.before(wanted),
    endByte: index.endOf(indexAt(chunk, chunk.count - 1)),
    totalBytes: index.bytes,
    index,
  };
}

function positionOf(index: LineIndex, first: number, count: number): string {
  const start = index.before(first);
  return [start.item, start.byte, index.endOf(first + count - 1), index.bytes].join(":");
}

function itemOf(
  settings: InputSettings,
  columns: readonly string[] | null,
  line: Line,
  place: { readonly index: number; readonly ordinal: number },
): Item {
  const item = { ...place, position: line.byte, value: line.text };
  if (columns !== null)
    return { ...item, value: recordOf(columns, csvFields(line.text, settings.delimiter)) };
  if (settings.format === "lines") return item;
  try {
    return { ...item, value: parseJson(line.text) };
  } catch {
    return { ...item, invalid: "the line is not JSON" };
  }
}

function recordOf(columns: readonly string[], fields: readonly string[]): Json {
  return Object.fromEntries(columns.map((column, n) => [column, fields[n] ?? ""]));
}

/** Headers kept by the isolate for the next chunk: uploads never change. */
const headers = new Map<string, readonly string[]>();

/** The header's columns: the upload's first record. */
async function columnsOf(
  settings: InputSettings,
  totalBytes: number,
  context: SourceContext,
): Promise<readonly string[]> {
  const { name, upload, delimiter } = settings;
  const key = `${name} ${upload} ${delimiter}`;
  const known = headers.get(key);
  if (known !== undefined) return known;
  const columns = csvFields(await firstRecord(readerOf(settings, totalBytes, context)), delimiter);
  if (headers.size >= LINE_INDEXES_KEPT) headers.clear();
  headers.set(key, columns);
  return columns;
}

async function firstRecord(reader: LineReader): Promise<string> {
  for (;;) {
    const record = reader.take();
    if (record !== null) return record.text;
    if (!(await reader.fill(0))) throw new Error("a checked CSV input has no header");
  }
}

function readerOf(settings: InputSettings, totalBytes: number, context: SourceContext): LineReader {
  const range = rangeOf(settings, context);
  return settings.format === "csv"
    ? new LineReader(range, totalBytes, CSV_FRAMING)
    : new LineReader(range, totalBytes);
}

function rangeOf(settings: InputSettings, { env, count }: SourceContext): ReadRange {
  const upload = pinnedOf(settings);
  return rangeReader(env.BUCKET, upload, { count, gone: () => gone(upload) });
}

/** Finds the records unless that was done before. Throws SourceError naming the line that is not CSV. */
async function makeCsvIndex(settings: InputSettings, context: SourceContext): Promise<void> {
  const { env, count } = context;
  const upload = pinnedOf(settings);
  const { delimiter } = settings;
  if ((await csvIndexOf(env.BUCKET, upload, delimiter, count)) !== null) return;
  const lines = await lineIndexOf(env.BUCKET, upload, count);
  if (lines === null) throw gone(upload);
  const read = { delimiter, bytes: lines.bytes, range: rangeOf(settings, context) };
  const made = await indexCsv(env.BUCKET, upload, read, count);
  if ("kind" in made) throw new SourceError("source.format", `${settings.name} is not CSV: ${made.message}`);
}

async function indexOf(settings: InputSettings, context: SourceContext): Promise<LineIndex> {
  const { env, count } = context;
  const upload = pinnedOf(settings);
  const index =
    settings.format === "csv"
      ? await csvIndexOf(env.BUCKET, upload, settings.delimiter, count)
      : await lineIndexOf(env.BUCKET, upload, count);
  if (index === null) throw gone(upload);
  return index;
}

function pinnedOf({ name, upload }: InputSettings): PinnedUpload {
  if (upload === null) throw new SourceError("source.upload", `no upload of ${name} is pinned`);
  return { name, upload };
}

function gone({ name, upload }: PinnedUpload): SourceError {
  return new SourceError("source.name", `the input ${name} (upload ${upload}) is not there any more`);
}
