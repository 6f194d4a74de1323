/**
 * Secrets: `{{secret:NAME}}` is `WEIR_SECRET_NAME` of the environment, read at the moment of a call.
 *
 * Invariant: a secret goes to the origins of the URLs written in the spec and to the hosts that
 * `WEIR_SECRET_NAME_HOSTS` names (separated by commas or spaces), and nowhere else. A host there is meant over https,
 * on port 443 unless it names another: over plain http a secret goes to an origin of the spec, or stays on this machine.
 * Space around a secret is not part of it: files and shells add line ends.
 */
import { SECRET_MIN_CHARS } from "../core/limits.ts";
import { isLoopbackHost } from "../core/publicHost.ts";
import { createMask, type Mask } from "../core/template/mask.ts";

/** Where secrets come from: the Worker's bindings, or the environment of the embedding process. */
export interface SecretEnv {
  readonly [secret: `WEIR_SECRET_${string}`]: string | undefined;
}

const PREFIX = "WEIR_SECRET_";

/** The value of a secret, or null when it is not set or shorter than `SECRET_MIN_CHARS`. */
export function secretValue(env: SecretEnv, name: string): string | null {
  const value = env[`WEIR_SECRET_${name}`];
  const trimmed = typeof value === "string" ? value.trim() : "";
  return trimmed.length >= SECRET_MIN_CHARS ? trimmed : null;
}

/** Signs the notice at a run's end. */
export const NOTICE_SECRET = "WEBHOOK";

/** Names of the secrets that are set. */
export function secretNames(env: SecretEnv): string[] {
  const names = Object.keys(env).filter((key) => key.startsWith(PREFIX) && !key.endsWith("_HOSTS"));
  return names.map((key) => key.slice(PREFIX.length)).filter((name) => secretValue(env, name) !== null);
}

/** The connection string of the Hyperdrive binding of this name; null when there is none. */
export function hyperdriveString(env: SecretEnv, name: string): string | null {
  const binding: unknown = (env as Readonly<Record<string, unknown>>)[name];
  if (typeof binding !== "object" || binding === null) return null;
  const { connectionString } = binding as { readonly connectionString?: unknown };
  return typeof connectionString === "string" ? connectionString : null;
}

/** What to do about a missing secret, as one sentence. */
export function missingSecretMessage(name: string): string {
  return `secret ${name} is missing: set ${PREFIX}${name} (${SECRET_MIN_CHARS} characters or more)`;
}

/** Masks the secrets that a spec uses, and no others: what is not sent cannot come back. */
export function maskOf(names: readonly string[], env: SecretEnv): Mask {
  const known = names.flatMap((name) => {
    const value = secretValue(env, name);
    return value === null ? [] : [{ name, value }];
  });
  return createMask(known);
}

/** Whether `WEIR_SECRET_NAME_HOSTS` names the host and port of this URL, and the way there is not open to others. */
export function isHostForSecret(env: SecretEnv, name: string, url: URL): boolean {
  const hosts = env[`WEIR_SECRET_${name}_HOSTS`];
  if (typeof hosts !== "string" || isOpenToOthers(url)) return false;
  return hosts.split(/[\s,]+/).some((entry) => entry !== "" && isHost(entry, url));
}

/** Plain http to another machine: whoever stands on the way reads what is sent. */
export function isOpenToOthers(url: URL): boolean {
  return url.protocol === "http:" && !isLoopbackHost(url.hostname);
}

function isHost(entry: string, url: URL): boolean {
  const named = URL.parse(`https://${entry}`);
  return named !== null && named.hostname === url.hostname && portOf(named) === portOf(url);
}

function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}
