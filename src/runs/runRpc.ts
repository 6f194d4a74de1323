/**
 * Calling a Run from the API: by id, with a fresh stub for every call, once more where the platform says that
 * this may help (all methods are safe to repeat). What still throws is a platform fault and becomes a 503.
 */
import type { PartMeta } from "../core/protocol.ts";
import { isEnded, type RunView } from "../core/run/runView.ts";
import type { Env } from "../objects/env.ts";
import type { Control, Run } from "../objects/run.ts";
import { runById } from "../objects/runStub.ts";
import { getRun } from "../storage/index/catalog.ts";
import { partsInOrder } from "../storage/rows/partStream.ts";
import { Refusal } from "./refusal.ts";
import { isRunId } from "./runId.ts";

const RETRY_AFTER_MS = 100;

/** Calls the run `id`, at most twice. */
export async function callRun<T>(env: Env, id: string, call: (run: Run) => Promise<T>): Promise<T> {
  try {
    return await call(runById(env, id));
  } catch (error) {
    if (!mayHelpToRepeat(error)) throw error;
    await scheduler.wait(RETRY_AFTER_MS);
    return call(runById(env, id));
  }
}

/** The run as it is now; of one whose object is gone what the catalog kept. Refuses with `not_found`. */
export async function viewRun(env: Env, id: string): Promise<RunView> {
  if (!isRunId(id)) throw notFound(id);
  const view = (await callRun(env, id, (run) => run.view())) ?? (await getRun(env.DB, id));
  if (view === null) throw notFound(id);
  return view;
}

/** The run if it has ended; refuses with `conflict`, which says what cannot be done yet. */
export async function viewEndedRun(env: Env, id: string, action: string): Promise<RunView> {
  const view = await viewRun(env, id);
  if (!isEnded(view.status)) {
    throw new Refusal("conflict", `the run is ${view.status}: only an ended run can be ${action}`);
  }
  return view;
}

/** Calls a method that may refuse, and turns its refusals into ours. */
export async function controlRun<T>(
  env: Env,
  id: string,
  call: (run: Run) => Promise<Control<T>>,
): Promise<T> {
  if (!isRunId(id)) throw notFound(id);
  const outcome = await callRun(env, id, call);
  switch (outcome.kind) {
    case "ok":
      return outcome.value;
    case "conflict":
      throw new Refusal("conflict", outcome.message);
    case "not-found":
      throw notFound(id);
    default:
      return outcome satisfies never;
  }
}

/** Throws when the run's object is gone: then its list of parts is empty and says nothing. */
export async function requireObject(env: Env, id: string): Promise<void> {
  if ((await callRun(env, id, (run) => run.settings())) === null) throw new Error(`the Run ${id} is gone`);
}

/** Committed parts of the run `id` in chunk order, asked for page by page. Throws when its object is gone. */
export async function* committedParts(env: Env, id: string): AsyncGenerator<PartMeta> {
  await requireObject(env, id);
  yield* partsInOrder({
    partsInOrder: (after, limit) => callRun(env, id, (run) => run.partsInOrder(after, limit)),
  });
}

function mayHelpToRepeat(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const fault = error as { retryable?: unknown; overloaded?: unknown; durableObjectReset?: unknown };
  return fault.overloaded !== true && (fault.retryable === true || fault.durableObjectReset === true);
}

function notFound(id: string): Refusal {
  return new Refusal("not_found", `there is no run ${JSON.stringify(id.slice(0, 64))}`);
}
