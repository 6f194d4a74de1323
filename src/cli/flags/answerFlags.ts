/** Flags that say what an answer is worth and how many failures stop a run, as the keys of a spec. */
import type { Json } from "../../core/spec.ts";
import { type Flags, shown } from "./arguments.ts";

/** `--expect 2xx,404 --expect 410` as `task.expect`; undefined when it was not given. */
export function expectFlag(flags: Flags): readonly string[] | undefined {
  const statuses = flags.all("expect").flatMap((text) => text.split(",").map((status) => status.trim()));
  return statuses.length === 0 ? undefined : statuses;
}

/**
 * `--tolerate 20%`, `0.2` or `off` as `tolerate.failureRate`: off means that all may fail. Undefined when it was not
 * given, or refused.
 */
export function tolerateFlag(flags: Flags): number | undefined {
  const text = flags.get("tolerate");
  if (text === null) return undefined;
  if (text === "off") return 1;
  const [, digits, percent] = /^(\d{1,3}(?:\.\d{1,6})?)\s*(%?)$/.exec(text) ?? [];
  const share = digits === undefined ? Number.NaN : Number(digits) / (percent === "%" ? 100 : 1);
  if (share >= 0 && share <= 1) return share;
  flags.refuse("tolerate", `--tolerate: ${shown(text)} is not a share; accepted: 20%, 0.2 or off`);
  return undefined;
}

/**
 * `--smoke 20` as `smoke`: that many items go alone, then somebody is asked; a gate that the spec names stays as it is.
 */
export function smokeFlag(
  written: { readonly [key: string]: Json } | null,
  items: number | undefined,
): { readonly [key: string]: Json } | null {
  return items === undefined ? written : { gate: "manual", ...written, items };
}
