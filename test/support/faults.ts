/**
 * What the target does wrong, decided per id and per call: the same id always gets the same treatment, so that
 * a repeated run can be compared. Everything here is plain JSON and pure; the target acts on it.
 */

/** One thing done in place of the ordinary answer. */
export type Fault =
  | {
      readonly do: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Accepts the call and never answers. */
  | { readonly do: "hang" }
  /** Ends the connection without an answer. */
  | { readonly do: "drop" }
  /** Announces a body, sends half of it and ends the connection. */
  | { readonly do: "closeMidBody" }
  /** 200 with JSON's content type and a body that is none. */
  | { readonly do: "garbage" }
  /** A 302 (or `status`) to `to`. */
  | { readonly do: "redirect"; readonly to: string; readonly status?: number };

/** The nth call of an id that matches gets the nth step; after the last one `after` decides. */
export interface FaultRule {
  /** Source of a regular expression over the id as it stands in the URL. */
  readonly ids: string;
  readonly steps: readonly Fault[];
  /** ok: answered in the ordinary way from then on. repeat: the last step for ever. */
  readonly after: "ok" | "repeat";
}

export interface FaultOptions {
  /** Share of ids, chosen by hash, that answer 404. */
  readonly missingShare?: number;
  /** Share of ids, chosen by hash, whose first call answers 500. */
  readonly failOnceShare?: number;
  /** First matching rule wins, before the shares. */
  readonly rules?: readonly FaultRule[];
  /** From this call on (counted from 1 over all ids) everything answers 401. */
  readonly refuseFromCall?: number;
}

const MISSING: Fault = { do: "status", status: 404, body: '{"error":"no such user"}' };
const BROKEN: Fault = { do: "status", status: 500, body: '{"error":"try again"}' };
const REFUSED: Fault = { do: "status", status: 401, body: '{"error":"who are you"}' };

/** The plan of faults as a function; the regular expressions are compiled once. */
export function planFaults(
  options: FaultOptions,
): (call: { readonly id: string; readonly callOfId: number; readonly callOfAll: number }) => Fault | null {
  const rules = (options.rules ?? []).map((rule) => ({ ...rule, pattern: new RegExp(rule.ids) }));
  const missingShare = options.missingShare ?? 0;
  const failOnceShare = options.failOnceShare ?? 0;
  const refuseFromCall = options.refuseFromCall ?? Number.POSITIVE_INFINITY;
  return ({ id, callOfId, callOfAll }) => {
    if (callOfAll >= refuseFromCall) return REFUSED;
    const rule = rules.find(({ pattern }) => pattern.test(id));
    if (rule !== undefined) {
      const step = rule.steps[callOfId - 1];
      if (step !== undefined) return step;
      return rule.after === "repeat" ? (rule.steps.at(-1) ?? null) : null;
    }
    if (missingShare > 0 && isMissing(id, missingShare)) return MISSING;
    if (failOnceShare > 0 && callOfId === 1 && failsOnce(id, failOnceShare)) return BROKEN;
    return null;
  };
}

/** Whether an id is among those that answer 404. */
export function isMissing(id: string, share: number): boolean {
  return hashShare(id, 1) < share;
}

/** Whether an id's first call answers 500. */
export function failsOnce(id: string, share: number): boolean {
  return hashShare(id, 2) < share;
}

/** FNV-1a with a final mix, as a number in [0, 1): evenly spread also over ids that differ in one digit. */
function hashShare(text: string, salt: number): number {
  let hash = 0x811c9dc5 ^ Math.imul(salt, 0x9e3779b1);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
