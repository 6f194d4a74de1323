/** Source `items`: the items stand in the spec itself. Any JSON; for more than a few thousand use an input. */
import { z } from "zod";
import { MAX_INLINE_BYTES, MAX_INLINE_ITEMS } from "../core/limits.ts";
import type { Json } from "../core/spec.ts";
import { indexAt, planContiguous } from "./contiguous.ts";
import { type Source, SourceError } from "./source.ts";

const json: z.ZodType<Json> = z.json();

export const itemsSchema = z.strictObject({
  kind: z.literal("items"),
  items: z
    .array(json)
    .min(1, "at least one item is needed")
    .max(MAX_INLINE_ITEMS, `at most ${MAX_INLINE_ITEMS} items can stand in a spec: store more as an input`),
});

export type ItemsSettings = z.infer<typeof itemsSchema>;

export const itemsSource: Source<ItemsSettings> = {
  kind: "items",
  schema: itemsSchema,
  async pin(settings) {
    const bytes = new TextEncoder().encode(JSON.stringify(settings.items)).byteLength;
    if (bytes > MAX_INLINE_BYTES)
      throw new SourceError(
        "source.items",
        `${bytes} bytes of items: at most ${MAX_INLINE_BYTES} can stand in a spec, store more as an input`,
      );
    return { settings, items: settings.items.length, first: settings.items[0] ?? null };
  },
  async plan(settings, chunkSize, cursor) {
    return planContiguous(settings.items.length, chunkSize, cursor, () => "");
  },
  async *read(settings, chunk, from) {
    for (let ordinal = from.ordinal; ordinal < chunk.count; ordinal++) {
      const index = indexAt(chunk, ordinal);
      yield { index, ordinal, position: index, value: settings.items[index] ?? null };
    }
  },
};
