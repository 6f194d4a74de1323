/**
 * The task `postgres-load`: each item is a file of JSON Lines in an object store, plain or gzip, and its records become
 * rows of one table.
 *
 * A file is one transaction and one permit: it is loaded whole or not at all. A file that was loaded before is met
 * by ON CONFLICT, so a try after a crash doubles nothing where the table has a unique key. The row's value is a small
 * report: `{rows, inserted, skipped}`, with `updated` where rows are updated.
 */

import {
  LOAD_PAGE_CHARS,
  LOAD_PAGE_ROWS,
  MAX_CALL_TIMEOUT_MS,
  POSTGRES_MAX_CHARS,
  POSTGRES_MAX_ROWS,
} from "../../core/limits.ts";
import type { Json } from "../../core/spec.ts";
import { type ObjectStore, StoreFault } from "../../storage/stores/objectStore.ts";
import { openStore, secretsOfPlace } from "../../storage/stores/storePlace.ts";
import { messageOf } from "../faults.ts";
import { perSettings } from "../perSettings.ts";
import { secretValue } from "../secrets.ts";
import { CannotOpen, type Task, type TaskContext, type TaskOutcome } from "../task.ts";
import { DamagedFile, jsonLines } from "./jsonLines.ts";
import { insertOf, type LoadPlan, planLoad } from "./loadStatement.ts";
import { lingerMsOf, PostgresConnection, type RunStatement } from "./postgresConnection.ts";
import { isRefusedForGood, outcomeOfDatabaseFault } from "./postgresFaults.ts";
import type { PostgresLoadSettings } from "./postgresLoadSchema.ts";
import { requireConnection } from "./postgresTarget.ts";

interface Client {
  readonly connection: PostgresConnection;
  readonly store: ObjectStore;
}

export const postgresLoadTask: Task<PostgresLoadSettings, Client> = {
  kind: "postgres-load",
  isWeirs: true,
  inherits: ["binding", "store"],
  check(settings) {
    const planned = planLoad(settings);
    return planned.kind === "invalid" ? planned : null;
  },
  urls: () => [],
  secrets: (settings) => [settings.connection, ...secretsOfPlace(settings)],
  preview: (settings, item) => ({
    method: "SQL",
    url: settings.connection,
    headers: {},
    body: `${insertOf(planOf(settings))}  [${keyOf(item) ?? "no key"}]`,
  }),
  lingerMs: ({ timeoutMs }) => lingerMsOf(timeoutMs),
  async open(settings, { env, runId }) {
    const { connection: name, timeoutMs } = settings;
    const store = openStore(settings, env, (secret) => secretValue(env, secret));
    if ("kind" in store) throw new CannotOpen(store.message);
    const target = requireConnection(env, name);
    const connection = new PostgresConnection(target, { application: `weir ${runId}`, timeoutMs });
    try {
      await connection.open();
    } catch (fault) {
      if (isRefusedForGood(fault)) throw new CannotOpen(`connection ${name}: ${messageOf(fault)}`);
      throw fault;
    }
    return { connection, store };
  },
  async run(item, context, settings, client): Promise<TaskOutcome> {
    const key = keyOf(item);
    if (key === null) return permanent("the item is not a key of an object and has none at /key", false);
    let called = false;
    try {
      return await context.call(() => {
        called = true;
        return load(key, settings, client, context);
      });
    } catch (fault) {
      return outcomeOfLoad(fault, called);
    }
  },
  close: ({ connection }) => connection.close(),
};

/** An item of source `objects`, or a key alone. */
function keyOf(item: Json): string | null {
  if (typeof item === "string") return item === "" ? null : item;
  if (typeof item !== "object" || item === null || Array.isArray(item)) return null;
  const { key } = item as { readonly key?: Json };
  return typeof key === "string" && key !== "" ? key : null;
}

async function load(
  key: string,
  settings: PostgresLoadSettings,
  { connection, store }: Client,
  { signal }: TaskContext,
): Promise<TaskOutcome> {
  const body = await store.get(key, signal);
  if (body === null) return permanent("there is no object of this key", true);
  const { timeoutMs } = settings;
  const bounds = { maxRows: POSTGRES_MAX_ROWS, maxChars: POSTGRES_MAX_CHARS };
  try {
    const value = await connection.transaction({ write: true, timeoutMs, bounds }, (run) =>
      insertAll(body, planOf(settings), run),
    );
    return { kind: "ok", value };
  } finally {
    // A body that a failed statement left unread would keep its connection.
    if (!body.locked) await body.cancel().catch(() => {});
  }
}

/** Thrown when a file takes longer than a call may. */
class TooLong extends Error {}

async function insertAll(body: ReadableStream<Uint8Array>, plan: LoadPlan, run: RunStatement): Promise<Json> {
  const statement = insertOf(plan);
  const endMs = performance.now() + MAX_CALL_TIMEOUT_MS;
  let rows = 0;
  let inserted = 0;
  let updated = 0;
  let page: string[] = [];
  let chars = 0;
  const insert = async (): Promise<void> => {
    if (performance.now() > endMs) throw new TooLong();
    const [counts] = (await run(statement, [`[${page.join(",")}]`])).rows;
    inserted += Number(counts?.[0] ?? 0);
    updated += Number(counts?.[1] ?? 0);
    page = [];
    chars = 0;
  };
  for await (const record of jsonLines(body)) {
    const row = plan.rowOf(record);
    rows += 1;
    page.push(row);
    chars += row.length;
    if (page.length === LOAD_PAGE_ROWS || chars >= LOAD_PAGE_CHARS) await insert();
  }
  if (page.length > 0) await insert();
  const skipped = rows - inserted - updated;
  return plan.updates ? { rows, inserted, updated, skipped } : { rows, inserted, skipped };
}

function outcomeOfLoad(fault: unknown, called: boolean): TaskOutcome {
  if (fault instanceof DamagedFile) return { ...permanent(fault.message, called), errorKind: "parse" };
  if (fault instanceof TooLong)
    return permanent(`loading takes longer than ${MAX_CALL_TIMEOUT_MS} ms: cut the file`, called);
  if (!(fault instanceof StoreFault)) return outcomeOfDatabaseFault(fault, called);
  const { message, retryAfterMs, status } = fault;
  if (status === 401 || status === 403) return { ...permanent(message, called), refused: true };
  if (fault.isForGood) return permanent(message, called);
  if (status === 429 || status === 503) return { kind: "throttled", message, retryAfterMs };
  return { kind: "transient", errorKind: "network", message, retryAfterMs };
}

function permanent(message: string, called: boolean) {
  return { kind: "permanent", errorKind: "task", message, called } as const;
}

const planOf = perSettings((settings: PostgresLoadSettings): LoadPlan => {
  const planned = planLoad(settings);
  if (planned.kind === "invalid") throw new Error(`${planned.path}: ${planned.message}`);
  return planned.plan;
});
