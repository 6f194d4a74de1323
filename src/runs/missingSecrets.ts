/** Which secrets a spec needs and the environment does not have. Apart from `secrets.ts`, which tasks import. */
import type { Json, Spec } from "../core/spec.ts";
import { sourceRegistry } from "../sources/registry.ts";
import { taskOf } from "../tasks/registry.ts";
import { hyperdriveString, NOTICE_SECRET, type SecretEnv, secretValue } from "../tasks/secrets.ts";

export interface MissingSecret {
  readonly name: string;
  /** Where the spec names it first, such as "task.headers.authorization". */
  readonly path: string;
}

/** Each once; a Hyperdrive binding of the same name stands for a connection's secret. */
export function missingSecrets(spec: Spec, env: SecretEnv): MissingSecret[] {
  const used = new Map<string, string>();
  const add = (names: readonly string[], part: "source" | "task") => {
    for (const name of names) if (!used.has(name)) used.set(name, placeOf(name, spec[part], part) ?? part);
  };
  add(taskOf(spec.task.kind)?.secrets(spec.task) ?? [], "task");
  add(sourceRegistry[spec.source.kind]?.secrets?.(spec.source) ?? [], "source");
  if (spec.onComplete && !used.has(NOTICE_SECRET)) used.set(NOTICE_SECRET, "onComplete");
  return [...used]
    .filter(([name]) => secretValue(env, name) === null && hyperdriveString(env, name) === null)
    .map(([name, path]) => ({ name, path }));
}

/** Texts that are a secret's name and nothing else, or insert it. */
function placeOf(name: string, value: Json, path: string): string | null {
  if (typeof value === "string") {
    const insertion = new RegExp(`\\{\\{\\s*secret:\\s*${name}\\s*\\}\\}`);
    return value === name || insertion.test(value) ? path : null;
  }
  if (typeof value !== "object" || value === null) return null;
  for (const [key, member] of Object.entries(value)) {
    const place = placeOf(name, member as Json, `${path}.${key}`);
    if (place !== null) return place;
  }
  return null;
}
