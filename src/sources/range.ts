/** Source `range`: the integers `from`, `from + step`, … below `to` (above it for a negative step). */
import { indexAt, planContiguous } from "./contiguous.ts";
import type { RangeSettings } from "./schemas.ts";
import { type Source, SourceError } from "./source.ts";

export const rangeSource: Source<RangeSettings> = {
  kind: "range",
  async pin(settings) {
    const items = itemsOf(settings);
    if (items === 0)
      throw new SourceError(
        "source.to",
        `no integer lies in the range: ${settings.from} up to, not including, ${settings.to} in steps of ${settings.step}`,
      );
    if (!Number.isSafeInteger(items))
      throw new SourceError("source.to", "the range holds more integers than can be counted");
    return { settings, items, first: settings.from };
  },
  async plan(settings, chunkSize, cursor) {
    return planContiguous(itemsOf(settings), chunkSize, cursor, () => "");
  },
  async *read(settings, chunk, from) {
    for (let ordinal = from.ordinal; ordinal < chunk.count; ordinal++) {
      const index = indexAt(chunk, ordinal);
      yield { index, ordinal, position: index, value: settings.from + index * settings.step };
    }
  },
};

function itemsOf({ from, to, step }: RangeSettings): number {
  return Math.max(0, Math.ceil((to - from) / step));
}
