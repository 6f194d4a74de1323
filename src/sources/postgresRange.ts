/**
 * Source `postgres-range`: ranges of an indexed integer column, `{"from": …, "to": …}`, `to` not included, as in
 * `WHERE id >= $1 AND id < $2`. Together they hold every row that was there when the run was made; rows with a higher
 * id that come later are another run's.
 *
 * The database is asked once, before the run exists, and the connection is closed again: planning and reading are
 * arithmetic on what it said, so they never add a connection to those of the lanes.
 */
import { parseJson } from "../core/json.ts";
import type { Json } from "../core/spec.ts";
import { connectionNamed, missingConnectionMessage } from "../tasks/postgres/postgresTarget.ts";
import { indexAt, planContiguous } from "./contiguous.ts";
import { balancedFacts, evenFacts, evenRanges, type IdFacts, type IdRange, idRange } from "./idRanges.ts";
import { askTable } from "./postgresTable.ts";
import type { PostgresRangeSource } from "./schemas.ts";
import { type Source, type SourceContext, SourceError } from "./source.ts";

/** Each is a statement of its own and a row of the results. */
const MAX_RANGES = 10_000_000;

export const postgresRangeSource: Source<PostgresRangeSource> = {
  kind: "postgres-range",
  async pin(settings, context) {
    const found = settings.found ?? (await ask(settings, context));
    return { settings: { ...settings, found }, items: found.ranges, first: itemOf(idRange(found, 0)) };
  },
  async plan(settings, chunkSize, cursor) {
    return planContiguous(foundOf(settings).ranges, chunkSize, cursor, () => "");
  },
  async *read(settings, chunk, from) {
    const found = foundOf(settings);
    for (let ordinal = from.ordinal; ordinal < chunk.count; ordinal++) {
      const index = indexAt(chunk, ordinal);
      yield { index, ordinal, position: index, value: itemOf(idRange(found, index)) };
    }
  },
};

async function ask(settings: PostgresRangeSource, context: SourceContext): Promise<IdFacts> {
  const { connection, table, column, balanced, rowsPerRange } = settings;
  const target = connectionNamed(context.env, connection);
  if (target === null) throw new SourceError("source.connection", missingConnectionMessage(connection));
  const facts = await askTable(target, { table, column, balanced, skipsNulls: settings.nulls === "skip" });
  const { min, max, spread } = facts;
  const ranges = spread === null ? evenRanges(min, max, rowsPerRange) : 0n;
  if (ranges > MAX_RANGES) throw tooMany(settings, { min, max, ranges });
  const found =
    spread === null
      ? evenFacts(min, max, Number(ranges))
      : balancedFacts({ min, max, rowsPerRange, ...spread });
  if (found.ranges > MAX_RANGES) throw tooMany(settings, { min, max, ranges: BigInt(found.ranges) });
  return found;
}

function tooMany(
  { column, balanced }: PostgresRangeSource,
  { min, max, ranges }: { readonly min: bigint; readonly max: bigint; readonly ranges: bigint },
): SourceError {
  const advice = balanced
    ? "choose larger ranges"
    : 'choose larger ranges, or "balanced": true if most ids are gaps';
  const message = `${column} goes from ${min} to ${max}: that makes ${ranges} ranges, at most ${MAX_RANGES} are accepted; ${advice}`;
  return new SourceError("source.rowsPerRange", message);
}

function foundOf({ found, table }: PostgresRangeSource): IdFacts {
  if (found === null) throw new SourceError("source.found", `the database was not asked about ${table}`);
  return found;
}

function itemOf({ from, to }: IdRange): Json {
  return { from: parseJson(String(from)), to: parseJson(String(to)) };
}
