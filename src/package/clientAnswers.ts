/**
 * Answers of the API for which it has no types but its schemas, as the client types them. A test holds them to those
 * schemas (test/edge/client.test.ts).
 */
import type { ErrorKind } from "../core/row.ts";
import type { Json } from "../core/spec.ts";

export interface Input {
  readonly name: string;
  readonly bytes: number;
  readonly items: number;
  /** An instant, as all times here: ISO 8601 in UTC. */
  readonly createdAt: string;
}

/** What a run would do. */
export interface Plan {
  readonly items: number;
  readonly chunks: number;
  readonly limitedBy: "quota" | "lanes" | "items";
  readonly etaSeconds: number;
  readonly window: { readonly isOpen: boolean; readonly changesAt: string | null } | null;
  readonly deadline: {
    readonly at: string;
    readonly missedBySeconds: number | null;
    readonly isKnown: boolean;
    readonly perSecond: number | null;
    readonly lanes: number | null;
  } | null;
  /** How long a call is taken to be; milliseconds. */
  readonly callMs: number;
  readonly costUsd: number;
  readonly smoke: {
    readonly items: number;
    readonly gate: "auto" | "manual";
    readonly maxFailureRate: number;
  } | null;
  readonly prompts: {
    readonly counted: number;
    readonly inputTokens: number;
    readonly outputTokensMost: number | null;
    readonly dollarsLeast: number | null;
    readonly dollarsMost: number | null;
  } | null;
  readonly warnings: readonly string[];
  readonly firstRequest: {
    readonly method: string;
    readonly url: string;
    readonly headers: { readonly [name: string]: string };
    readonly body: string | null;
  } | null;
}

export interface Report {
  readonly run: string;
  readonly status: string;
  readonly report: { readonly [field: string]: Json };
  readonly coverage: {
    readonly items: number | null;
    readonly ok: number;
    readonly failed: number;
    readonly text: string;
  };
  readonly fields: {
    readonly [field: string]: {
      readonly values: number;
      readonly missing: number;
      readonly unusable: number;
      readonly note: string | null;
    };
  };
}

/** Failures that say the same. */
export interface FailureGroup {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly count: number;
  /** The first few of them. */
  readonly samples: readonly { readonly index: number; readonly item: Json }[];
}
