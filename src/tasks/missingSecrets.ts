/** Which secrets a spec needs and the environment does not have. Apart from `secrets.ts`, which tasks import. */
import type { Spec } from "../core/spec.ts";
import { sourceRegistry } from "../sources/registry.ts";
import { taskOf } from "./registry.ts";
import { hyperdriveString, NOTICE_SECRET, type SecretEnv, secretValue } from "./secrets.ts";

/** Their names; a Hyperdrive binding of the same name stands for a connection's secret. */
export function missingSecrets(spec: Spec, env: SecretEnv): string[] {
  const inTask = taskOf(spec.task.kind)?.secrets(spec.task) ?? [];
  const inSource = sourceRegistry[spec.source.kind]?.secrets?.(spec.source) ?? [];
  const used = new Set([...inTask, ...inSource, ...(spec.onComplete ? [NOTICE_SECRET] : [])]);
  return [...used].filter((name) => secretValue(env, name) === null && hyperdriveString(env, name) === null);
}
