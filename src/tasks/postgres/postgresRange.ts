/**
 * The task `postgres-range`: one bounded statement for each range of ids, `$1` up to, not including, `$2`.
 *
 * One connection per lane. Each try is one transaction, READ ONLY unless the task says `write: true`, and takes one
 * permit. The row's value is a small report: the statement's row, or its rows, within bounds.
 */
import { POSTGRES_MAX_CHARS, POSTGRES_MAX_ROWS } from "../../core/limits.ts";
import type { Json } from "../../core/spec.ts";
import { CannotOpen, type Task, type TaskOutcome } from "../task.ts";
import { lingerMsOf, PostgresConnection, type SqlValue, type StatementResult } from "./postgresConnection.ts";
import { isRefusedForGood, outcomeOfDatabaseFault } from "./postgresFaults.ts";
import type { PostgresRangeSettings } from "./postgresRangeSchema.ts";
import { poolWarnings, requireConnection } from "./postgresTarget.ts";
import { parameterOf, rowsOf } from "./postgresValues.ts";

export const postgresRangeTask: Task<PostgresRangeSettings, PostgresConnection> = {
  kind: "postgres-range",
  isWeirs: true,
  check({ statement }) {
    const missing = ["$1", "$2"].find((parameter) => !hasParameter(statement, parameter));
    if (missing === undefined) return null;
    const message = `has no ${missing}: it must be bounded, as in … WHERE id >= $1 AND id < $2`;
    return { path: "statement", message };
  },
  urls: () => [],
  secrets: ({ connection }) => [connection],
  preview: ({ connection, statement }, item) => {
    const range = rangeOf(item);
    if (range === null) return null;
    return { method: "SQL", url: connection, headers: {}, body: `${statement}  [${range.join(", ")}]` };
  },
  warnings: ({ connection }, { env, maxParallelism }) => poolWarnings(env, connection, maxParallelism),
  lingerMs: ({ timeoutMs }) => lingerMsOf(timeoutMs),
  async open({ connection, timeoutMs }, { env, runId }) {
    const opened = new PostgresConnection(requireConnection(env, connection), {
      application: `weir ${runId}`,
      timeoutMs,
    });
    try {
      await opened.open();
      return opened;
    } catch (fault) {
      if (isRefusedForGood(fault))
        throw new CannotOpen(`connection ${connection}: ${(fault as Error).message}`);
      throw fault;
    }
  },
  async run(item, context, settings, connection): Promise<TaskOutcome> {
    const range = rangeOf(item);
    if (range === null) return unusable(item);
    let called = false;
    try {
      const result = await context.call(() => {
        called = true;
        return statementOn(connection, settings, range);
      });
      return reportOf(result, settings);
    } catch (fault) {
      return outcomeOfDatabaseFault(fault, called);
    }
  },
  close: (connection) => connection.close(),
};

function statementOn(
  connection: PostgresConnection,
  { statement, write, timeoutMs }: PostgresRangeSettings,
  range: readonly SqlValue[],
): Promise<StatementResult> {
  const bounds = { maxRows: POSTGRES_MAX_ROWS, maxChars: POSTGRES_MAX_CHARS };
  return connection.transaction({ write, timeoutMs, bounds }, (run) => run(statement, range));
}

/** A statement without columns (an UPDATE without RETURNING) reports how many rows it touched. */
function reportOf(result: StatementResult, { rows: wanted }: PostgresRangeSettings): TaskOutcome {
  if (result.columns.length === 0) return { kind: "ok", value: { rowCount: result.rowCount } };
  const rows = rowsOf(result);
  if (wanted === "many") return { kind: "ok", value: rows };
  if (rows.length <= 1) return { kind: "ok", value: rows[0] ?? null };
  const message = `the statement returned ${rows.length} rows: aggregate them, or set "rows": "many" in the task`;
  return { kind: "permanent", errorKind: "task", message, called: true };
}

/** `$1` and `$2`; null when the item is not a range. */
function rangeOf(item: Json): readonly [SqlValue, SqlValue] | null {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return null;
  const { from, to } = item as { readonly from?: Json; readonly to?: Json };
  return isBound(from) && isBound(to) ? [parameterOf(from), parameterOf(to)] : null;
}

function isBound(bound: Json | undefined): bound is Json {
  return bound !== undefined && bound !== null && typeof bound !== "boolean";
}

function unusable(item: Json): TaskOutcome {
  const shown = JSON.stringify(item).slice(0, 80);
  const message = `the item is not a range {"from": …, "to": …}: ${shown}`;
  return { kind: "permanent", errorKind: "task", message, called: false };
}

/** `$1` but not `$10`. */
function hasParameter(statement: string, parameter: string): boolean {
  return new RegExp(`\\${parameter}(?![0-9])`).test(statement);
}
