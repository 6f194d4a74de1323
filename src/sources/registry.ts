/** The sources there are: one line each. A spec names one by its kind. */
import type { SourceSpec } from "../core/spec.ts";
import { failuresSource } from "./failures.ts";
import { inputSource } from "./input.ts";
import { itemsSource } from "./items.ts";
import { objectsSource } from "./objects.ts";
import { postgresRangeSource } from "./postgresRange.ts";
import { rangeSource } from "./range.ts";
import { type Item, type Source, type SourceContext, SourceError } from "./source.ts";

/**
 * By kind. `pin` takes what the schema of that kind gives (`schemas.ts`); what `pin` gives is stored in the run and goes
 * to `plan` and `read`. Has no prototype: a kind such as "constructor" finds nothing.
 */
export const sourceRegistry: Record<string, Source<SourceSpec>> = Object.assign(Object.create(null), {
  items: itemsSource,
  range: rangeSource,
  input: inputSource,
  objects: objectsSource,
  "postgres-range": postgresRangeSource,
  failures: failuresSource({ countItems, readItems }),
} satisfies Record<string, Source<SourceSpec>>);

async function countItems(source: SourceSpec, context: SourceContext): Promise<number | null> {
  const known = sourceRegistry[source.kind];
  if (known === undefined) return null;
  return known.count?.(source, context) ?? (await known.pin(source, context)).items;
}

async function* readItems(
  source: SourceSpec,
  ...reading: Parameters<Source<SourceSpec>["read"]> extends [unknown, ...infer Rest] ? Rest : never
): AsyncGenerator<Item> {
  const known = sourceRegistry[source.kind];
  if (known === undefined) throw new SourceError("source.kind", `there is no source of kind ${source.kind}`);
  yield* known.read(source, ...reading);
}

/** Adds a source under its kind. Throws for one that there is. */
export function addSource<Settings>(source: Source<Settings>): void {
  if (sourceRegistry[source.kind] !== undefined) throw new Error(`there is a source ${source.kind} already`);
  sourceRegistry[source.kind] = source as unknown as Source<SourceSpec>;
}
