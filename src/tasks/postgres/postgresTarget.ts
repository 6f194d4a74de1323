/**
 * Where a spec's `connection` leads. A spec names it, `ORDERS_DB`: the Hyperdrive binding of that name, else the
 * secret `WEIR_SECRET_ORDERS_DB` with a `postgres://` URL. The URL itself never stands in a spec.
 */

import { hyperdriveString, type SecretEnv, secretValue } from "../secrets.ts";
import { CannotOpen } from "../task.ts";
import type { ConnectionTarget } from "./postgresConnection.ts";

/** Where a name leads; null when neither a binding nor a secret has it. */
export function connectionNamed(env: SecretEnv, name: string): ConnectionTarget | null {
  const pooled = hyperdriveString(env, name);
  if (pooled !== null) return { connectionString: pooled, isPooled: true };
  const secret = secretValue(env, name);
  return secret === null ? null : { connectionString: secret, isPooled: false };
}

/** The same for a lane: throws CannotOpen with what to do about a connection that is not there. */
export function requireConnection(env: SecretEnv, name: string): ConnectionTarget {
  const target = connectionNamed(env, name);
  if (target === null) throw new CannotOpen(missingConnectionMessage(name));
  return target;
}

/** The connections of a pool are its own affair: what `plan` says about them. */
export function poolWarnings(env: SecretEnv, name: string, maxParallelism: number): readonly string[] {
  if (connectionNamed(env, name)?.isPooled !== true) return [];
  return [
    `through Hyperdrive ${name} the database sees the pool's connections, not the lanes: ` +
      `set its origin connection limit to ${maxParallelism}, and its query caching to off`,
  ];
}

/** What to do about a connection that is not there, as one sentence. */
export function missingConnectionMessage(name: string): string {
  return `connection ${name} is missing: set WEIR_SECRET_${name} to a postgres:// URL, or bind a Hyperdrive as ${name}`;
}
