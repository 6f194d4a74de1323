/**
 * Source `input`: the lines of a stored upload, as text (`lines`) or one JSON document a line (`jsonl`).
 *
 * Planning reads nothing but the upload's line index. A chunk's position is where to begin and where to stop
 * reading: `<item>:<byte>:<byte>`. Reading goes in windows by ranged requests, from the nearest known byte.
 */
import { z } from "zod";
import { parseJson } from "../core/json.ts";
import { SOURCE_WINDOW_BYTES } from "../core/limits.ts";
import type { ChunkPlan } from "../core/protocol.ts";
import { INPUT_NAME, UPLOAD_ID } from "../storage/inputKeys.ts";
import { getInput } from "../storage/inputs.ts";
import type { LineIndex } from "../storage/lineIndex.ts";
import { type Line, LineReader } from "../storage/lineReader.ts";
import { lineIndexOf, type PinnedUpload, rangeReader } from "../storage/uploadLines.ts";
import { indexAt, planContiguous } from "./contiguous.ts";
import { type Item, type Source, type SourceContext, SourceError } from "./source.ts";

export const inputSchema = z.strictObject({
  kind: z.literal("input"),
  name: z
    .string()
    .regex(INPUT_NAME, "the name of a stored input: letters, digits, dots, dashes, underscores"),
  format: z.enum(["lines", "jsonl"]).default("lines"),
  /** The upload that a run pinned; left out, the newest one is pinned when the run is made. */
  upload: z.string().regex(UPLOAD_ID, "the id of an upload").nullable().default(null),
});

export type InputSettings = z.infer<typeof inputSchema>;

export const inputSource: Source<InputSettings> = {
  kind: "input",
  schema: inputSchema,
  async pin(settings, context) {
    const upload =
      settings.upload ?? (await getInput(context.env.BUCKET, settings.name, context.count))?.upload;
    if (upload === undefined)
      throw new SourceError(
        "source.name",
        `there is no input named ${settings.name}: store it first (PUT /v1/inputs/${settings.name})`,
      );
    const pinned = { ...settings, upload };
    const index = await indexOf(pinned, context);
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

async function* readChunk(
  settings: InputSettings,
  chunk: ChunkPlan,
  from: { readonly ordinal: number; readonly position: number | null },
  context: SourceContext,
): AsyncGenerator<Item> {
  if (from.ordinal >= chunk.count) return;
  let wanted = indexAt(chunk, from.ordinal);
  const reach = await reachOf(settings, chunk, wanted, context);
  const upload = pinnedOf(settings);
  const readRange = rangeReader(context.env.BUCKET, upload, {
    count: context.count,
    gone: () => gone(upload),
  });
  const lines = new LineReader(readRange, reach.totalBytes);
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
    yield itemOf(settings, line, { index: wanted, ordinal });
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
  line: Line,
  place: { readonly index: number; readonly ordinal: number },
): Item {
  const item = { ...place, position: line.byte, value: line.text };
  if (settings.format === "lines") return item;
  try {
    return { ...item, value: parseJson(line.text) };
  } catch {
    return { ...item, invalid: "the line is not JSON" };
  }
}

async function indexOf(settings: InputSettings, context: SourceContext): Promise<LineIndex> {
  const upload = pinnedOf(settings);
  const index = await lineIndexOf(context.env.BUCKET, upload, context.count);
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
