/**
 * The family of a run: whose failures a retry works on, and which of its runs stand in the way.
 * The catalog lists the family and may lag; the runs themselves decide, and the catalog is put right on the way.
 */
import { isEnded, type RunStatus, type RunView } from "../core/run/runView.ts";
import type { SourceSpec } from "../core/spec.ts";
import type { Env } from "../objects/env.ts";
import { descendants, upsertRun } from "../storage/index/catalog.ts";
import type { FamilyRun } from "../storage/rows/mergedRows.ts";
import { Refusal } from "./refusal.ts";
import { callRun, committedParts, viewEndedRun } from "./runRpc.ts";

/** What a child run takes from the run it retries. */
export interface Parentage {
  readonly parentRunId: string;
  readonly rootId: string;
  /** The root's: items of a child are read where the root read them. */
  readonly itemSource: SourceSpec;
}

/** From these no run comes back; a failed one may be resumed. */
const FINAL: ReadonlySet<RunStatus> = new Set(["completed", "completed-with-failures", "cancelled"]);

/** The run `id` as a parent; refuses with `conflict` while it or a run below it has not ended. */
export async function parentage(env: Env, id: string): Promise<Parentage> {
  const view = await viewEndedRun(env, id, "retried");
  await refuseUnfinishedDescendants(env, id, "retried");
  const settings = await callRun(env, id, (run) => run.settings());
  if (settings === null) throw new Refusal("conflict", `the run cannot be retried: ${view.why}`);
  const parent = { parentRunId: id, rootId: settings.root, itemSource: settings.itemSource };
  await upsertRun(env.DB, view, { root: settings.root, itemSource: settings.itemSource, atMs: Date.now() });
  return parent;
}

/** Refuses with `conflict` while a run below `id` has not ended. */
export async function refuseUnfinishedDescendants(env: Env, id: string, action: string): Promise<void> {
  for (const view of await refreshDescendants(env, id)) {
    if (isEnded(view.status)) continue;
    const what = `while its retry ${view.id} is ${view.status}`;
    throw new Refusal("conflict", `the run cannot be ${action} ${what}: ${wayOut(view)}`);
  }
}

/** What brings the retry that stands in the way to its end. */
function wayOut({ id, status }: RunView): string {
  if (status === "paused") return `weir run --resume ${id} or weir cancel ${id}`;
  if (status === "awaiting-approval") return `weir approve ${id} or weir cancel ${id}`;
  return `wait for it, or weir cancel ${id}`;
}

/** The runs below `id` that were not over for good when the catalog last heard of them, as they are now. */
export async function refreshDescendants(env: Env, id: string): Promise<readonly RunView[]> {
  const views: RunView[] = [];
  for (const known of await descendants(env.DB, id)) {
    if (FINAL.has(known.status)) continue;
    const view = await callRun(env, known.id, (run) => run.view());
    if (view === null) continue;
    if (view.status !== known.status) await refreshCatalog(env, view);
    views.push(view);
  }
  return views;
}

/** The run and all below it, oldest first: whose rows are merged, and which of them have ended. */
export async function familyOfRows(env: Env, view: RunView): Promise<readonly FamilyRun[]> {
  const members = [{ id: view.id, hasEnded: isEnded(view.status) }];
  for (const known of await descendants(env.DB, view.id)) {
    const status = FINAL.has(known.status)
      ? known.status
      : (await callRun(env, known.id, (run) => run.view()))?.status;
    if (status !== undefined) members.push({ id: known.id, hasEnded: isEnded(status) });
  }
  return members.map((member) => ({ ...member, parts: () => committedParts(env, member.id) }));
}

/** Puts the catalog's snapshot of a run right. */
export async function refreshCatalog(env: Env, view: RunView): Promise<void> {
  const settings = await callRun(env, view.id, (run) => run.settings());
  if (settings === null) return;
  const { root, itemSource } = settings;
  await upsertRun(env.DB, view, { root, itemSource, atMs: Date.now() });
}
