/** Source `items`: the items stand in the spec itself. Any JSON; for more than a few thousand use an input. */
import { MAX_INLINE_BYTES } from "../core/limits.ts";
import { indexAt, planContiguous } from "./contiguous.ts";
import type { ItemsSettings } from "./schemas.ts";
import { type Source, SourceError } from "./source.ts";

export const itemsSource: Source<ItemsSettings> = {
  kind: "items",
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
