/**
 * Making a run: the source is checked and pinned, the record written, the Run created, the catalog told.
 *
 * Invariant: every step before `create` may be repeated, and a run that was created is never made again under
 * the same id: a request that broke off can be sent again with its Idempotency-Key.
 */
import { MAX_CALL_TIMEOUT_MS } from "../core/limits.ts";
import type { ErrorKind } from "../core/row.ts";
import type { CreateRun } from "../core/run/run.ts";
import type { RunView } from "../core/run/runView.ts";
import type { Json, SourceSpec, Spec } from "../core/spec.ts";
import type { TargetSettings } from "../core/target/targetSettings.ts";
import { deadlineMs } from "../core/window/deadline.ts";
import type { Env } from "../objects/env.ts";
import { parseSpec } from "../runSpec/schema.ts";
import { sourceRegistry } from "../sources/registry.ts";
import { SourceError } from "../sources/source.ts";
import { upsertRun } from "../storage/index/catalog.ts";
import { familyOf, wereRefused } from "../storage/index/stillFailed.ts";
import { writeRunRecord } from "../storage/runRecord.ts";
import { taskOf } from "../tasks/registry.ts";
import { missingSecretMessage } from "../tasks/secrets.ts";
import { atAStretch } from "./atAStretch.ts";
import { type Parentage, parentage } from "./family.ts";
import { missingSecrets } from "./missingSecrets.ts";
import { joinTarget, namedTarget, underTarget } from "./namedTarget.ts";
import { Refusal, refuseAll, refuseField } from "./refusal.ts";
import { controlRun } from "./runRpc.ts";

/** A spec that can be started: nothing it needs is missing. */
export interface ReadySpec {
  readonly spec: Spec;
  /** Where items are read from: the spec's own source, pinned, or the root's. */
  readonly itemSource: SourceSpec;
  /** The named target that it shares; null: none. */
  readonly target: TargetSettings | null;
  /** Null for a run that is not a retry. */
  readonly parent: Parentage | null;
  /** Null when only planning can tell. */
  readonly items: number | null;
  readonly first: Json | null;
}

/** Outside text as a spec whose source is there and whose secrets are set; refuses with the field's path. */
export async function readySpec(env: Env, outside: unknown): Promise<ReadySpec> {
  const parsed = atAStretch(env, () => parseSpec(outside));
  if (parsed.kind === "invalid") throw refuseField(parsed);
  const target = await namedTarget(env, parsed.spec);
  const spec = underTarget(parsed.spec, target);
  const missing = refuseAll([
    ...missingSecrets(spec, env).map(({ name, path }) => ({ path, message: missingSecretMessage(name) })),
    ...missingBindings(env, spec).map((name) => ({
      path: "task.browser",
      message: missingBindingMessage(name),
    })),
    ...tooLongHere(env, spec),
    ...overAlready(spec, Date.now()),
  ]);
  if (missing !== null) throw missing;
  const parent = await parentOf(env, spec.source);
  const pinned = await pin(env, spec.source);
  if (pinned.items === 0) throw noItems(parent);
  return {
    spec: { ...spec, source: pinned.settings },
    itemSource: parent?.itemSource ?? pinned.settings,
    target,
    parent,
    items: pinned.items,
    first: pinned.first,
  };
}

/**
 * Creates the run `id` and gives it as it is then. Repeating it with the same id changes nothing.
 * `schedule`: the one that starts it.
 */
export async function startRun(env: Env, id: string, ready: ReadySpec, schedule?: string): Promise<RunView> {
  const input: CreateRun = {
    runId: id,
    rootId: ready.parent?.rootId ?? id,
    parentRunId: ready.parent?.parentRunId ?? null,
    spec: ready.spec,
    itemSource: ready.itemSource,
    generation: env.WEIR_GENERATION ?? "",
    ...(schedule === undefined ? {} : { schedule }),
    createdAtMs: Date.now(),
    lingerMs: taskOf(ready.spec.task.kind)?.lingerMs?.(ready.spec.task) ?? 0,
    ...(ready.parent !== null && (await retriesRefused(env, ready.spec.source)) && { wasRefused: true }),
  };
  await joinTarget(env, ready.spec, id);
  await writeRunRecord(env.BUCKET, input);
  const view = await controlRun(env, id, (run) => run.create(input));
  const extra = { root: input.rootId, itemSource: input.itemSource, atMs: Date.now() };
  await upsertRun(env.DB, view, extra).catch((error: unknown) => {
    // The run is made and tells the catalog itself when D1 is back.
    console.warn(`catalog refused run ${id}:`, error);
  });
  return view;
}

/** A retry of items that the target refused before. */
async function retriesRefused(env: Env, { run, kinds }: SourceSpec): Promise<boolean> {
  if (typeof run !== "string") return false;
  return wereRefused(env.DB, await familyOf(env.DB, run), kinds as readonly ErrorKind[] | null);
}

/** On a machine of one's own calls may take longer than the platform lets an invocation live. */
function tooLongHere(env: Env, { task }: Spec): readonly { path: string; message: string }[] {
  const { timeoutMs } = task;
  const isDeployed = env.WEIR_GENERATION === undefined;
  if (!isDeployed || typeof timeoutMs !== "number" || timeoutMs <= MAX_CALL_TIMEOUT_MS) return [];
  const most = MAX_CALL_TIMEOUT_MS.toLocaleString("en-US");
  return [
    {
      path: "task.timeoutMs",
      message: `must be ${most} at most where Weir is deployed: the platform ends an invocation after 15 minutes`,
    },
  ];
}

function overAlready({ deadline }: Spec, nowMs: number): readonly { path: string; message: string }[] {
  const atMs = deadline == null ? null : deadlineMs(deadline, nowMs);
  if (atMs === null || atMs > nowMs) return [];
  return [{ path: "deadline", message: `must lie in the future: it is ${new Date(nowMs).toISOString()}` }];
}

function missingBindings(env: Env, spec: Spec): readonly "BROWSER"[] {
  const needed = taskOf(spec.task.kind)?.bindings?.(spec.task) ?? [];
  return needed.filter((name) => env[name] === undefined);
}

function missingBindingMessage(name: string): string {
  return `needs the Browser Rendering binding ${name}, which this Weir does not have: deploy it with [browser] binding = "${name}" in wrangler.toml; without "browser": true such pages are failed rows that say so`;
}

async function parentOf(env: Env, source: SourceSpec): Promise<Parentage | null> {
  if (source.kind !== "failures" || source.retry !== true || typeof source.run !== "string") return null;
  return parentage(env, source.run);
}

async function pin(env: Env, source: SourceSpec) {
  const module = sourceRegistry[source.kind];
  if (module === undefined) throw new SourceError("source.kind", `there is no source ${source.kind}`);
  return module.pin(source, { env, run: "", count: () => {} });
}

function noItems(parent: Parentage | null): Refusal {
  return parent === null
    ? new Refusal("invalid", "the source has no items", "source")
    : new Refusal("conflict", "nothing to retry: no item of the run is left failed or without a row");
}
