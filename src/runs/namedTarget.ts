/** The named target of a spec: it has to be there when a run is made, and it learns of the run before the run begins. */
import type { Spec } from "../core/spec.ts";
import type { TargetSettings } from "../core/target/targetSettings.ts";
import type { Env } from "../objects/env.ts";
import { targetByName } from "../objects/targetStub.ts";
import { taskOf } from "../tasks/registry.ts";
import { Refusal } from "./refusal.ts";

const PATH = "quota.target";

/** The target that the spec names; null where it names none. Refuses a name that nothing has. */
export async function namedTarget(env: Env, { quota }: Spec): Promise<TargetSettings | null> {
  const name = quota?.target ?? null;
  if (name === null) return null;
  const settings = await targetByName(env, name).settings();
  if (settings === null) throw noSuchTarget(name);
  return settings;
}

/**
 * The spec under its target. Calls with a cost of tokens are granted by name, which the lanes have to know from the
 * start: so the run has a limit of tokens of its own, the target's where the spec states none.
 */
export function underTarget(spec: Spec, target: TargetSettings | null): Spec {
  const { quota, task } = spec;
  if (target === null || quota === null || quota.tokens != null || target.tokens === null) return spec;
  if (taskOf(task.kind)?.countsTokens !== true) return spec;
  return { ...spec, quota: { ...quota, tokens: target.tokens } };
}

/** The target counts the run among its users from now on. Refuses where it is gone or has too many. */
export async function joinTarget(env: Env, { quota }: Spec, run: string): Promise<void> {
  const name = quota?.target ?? null;
  if (name === null) return;
  const outcome = await targetByName(env, name).attach(run);
  if (outcome.kind === "not-found") throw noSuchTarget(name);
  if (outcome.kind === "conflict") throw new Refusal("too_many", outcome.message, PATH);
}

function noSuchTarget(name: string): Refusal {
  const message = `there is no target ${JSON.stringify(name)}; weir target set ${name} --rate 1000/s makes one`;
  return new Refusal("invalid", message, PATH);
}
