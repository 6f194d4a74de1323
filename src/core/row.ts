/** Rows and failures: what a run writes for every item, exactly once. */
import type { Json } from "./spec.ts";
import type { Usage } from "./usage.ts";

export const ERROR_KINDS = [
  "throttled",
  "timeout",
  "network",
  "http",
  "parse",
  "task",
  "budget",
  "disallowed",
] as const;
export type ErrorKind = (typeof ERROR_KINDS)[number];

export interface RowError {
  readonly kind: ErrorKind;
  /** One line, at most `MAX_ERROR_MESSAGE_CHARS` characters, secrets masked. */
  readonly message: string;
  readonly retryable: boolean;
  /** Of an error that a task threw the first lines of its stack; else the beginning of the answer's body as text, at most `MAX_ERROR_DETAIL_BYTES`, secrets masked; absent without one. */
  readonly detail?: string;
}

export interface RowBase {
  /** Position in the whole source of the root run, from 0. */
  readonly index: number;
  /** The item as text (or parsed JSON for jsonl), cut at `MAX_ROW_ITEM_BYTES`. */
  readonly item: Json;
  readonly itemTruncated?: true;
  /** HTTP status of the last answer, where there was one. */
  readonly status?: number;
  /** The URL that answered, where a redirect led to another than was called. */
  readonly url?: string;
  /** Headers of the answer that the spec keeps (`keepHeaders`), by their names in lower case. */
  readonly headers?: { readonly [name: string]: string };
  /** Tries that were not throttled. */
  readonly attempts: number;
  /** Tries that were throttled. */
  readonly throttles: number;
  /** Tokens of the try that made the row, where the target told them. */
  readonly usage?: Usage;
}

export type Row =
  | (RowBase & { readonly ok: true; readonly value: Json })
  | (RowBase & { readonly ok: false; readonly error: RowError });
