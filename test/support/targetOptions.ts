/** What can be asked of a target: its options, its figures, and the handle that tests and scripts hold. */
import type { ArrivalLog } from "./arrivals.ts";
import type { FaultOptions } from "./faults.ts";
import type { LimitOptions } from "./strictLimit.ts";
import type { WindowOptions } from "./windowLimit.ts";

export interface TargetOptions extends FaultOptions {
  /** 0 or absent: any free port. */
  readonly port?: number;
  /** Null or absent: no limit. Over it: 429 with Retry-After in whole seconds. */
  readonly limit?: LimitOptions | WindowOptions | null;
  /** Uniform between the two, or log-normal around a median, milliseconds; absent: at once. */
  readonly latencyMs?: readonly [number, number] | LogNormal;
  /** Every answer takes so many times as long (a brownout); absent: 1. */
  readonly slowedBy?: number;
  /** Calls in flight above which the answer is `inFlightStatus`. */
  readonly maxInFlight?: number;
  /** Absent: 503, without a word; a 429 comes with `Retry-After: 1`. */
  readonly inFlightStatus?: 429 | 503;
  /** What stands before the id in the path; the id is the rest of the URL as it came. */
  readonly prefix?: string;
  /** The answer repeats method, URL, headers and body. */
  readonly echo?: boolean;
  /** Keeps the first so many requests whole. */
  readonly capture?: number;
  /** Refuses connections. */
  readonly down?: boolean;
  /** A target process answers calls of its own first: one whose code is cold stamps late what arrives in its first second. */
  readonly warm?: boolean;
}

/** Most answers near the median, a few far above it; none over `MAX_LATENCY_MS`. */
export interface LogNormal {
  readonly medianMs: number;
  /** Standard deviation of the logarithm. */
  readonly spread: number;
}

export const MAX_LATENCY_MS = 30_000;

export interface Captured {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface TargetStats {
  readonly calls: number;
  readonly distinctIds: number;
  /** Answers by status; "0" are still open, "1" were cut on purpose. */
  readonly perStatus: Readonly<Record<string, number>>;
  readonly inFlight: number;
  readonly maxInFlight: number;
  /** Milliseconds since the epoch; null before the first call. */
  readonly firstAtEpochMs: number | null;
  readonly lastAtEpochMs: number | null;
  /** CPU used by the target's process since the target started: too much of it and a measurement says nothing. */
  readonly cpuMs: number;
}

/** A target as tests and scripts use it, in this process or another. */
export interface Target {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  stats(): Promise<TargetStats>;
  log(): Promise<ArrivalLog>;
  captured(): Promise<readonly Captured[]>;
  /** Changes the given options from now on. */
  set(change: Partial<TargetOptions>): Promise<void>;
  close(): Promise<void>;
}
