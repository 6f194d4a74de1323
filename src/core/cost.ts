/**
 * What a run costs on the platform: operations counted from the way lanes work, times a dated price table.
 *
 * Prices are marginal ones, above what the plan includes; the plan itself (5 USD a month) is not in it, nor is
 * anything that the outside system charges. On a machine of one's own a run costs nothing.
 */
import {
  LANES_PER_INVOCATION_DEPLOYED,
  OBJECT_PART_BYTES,
  PART_ROWS,
  POLL_MS,
  POLL_MS_PER_INVOCATION,
  SLICE_MAX_MS,
  SOURCE_WINDOW_BYTES,
} from "./limits.ts";

/** USD per unit, as published on 2026-08-20 for the Workers Paid plan. */
export const PRICES = {
  asOf: "2026-08-20",
  queueOperation: 0.4 / 1e6,
  workerRequest: 0.3 / 1e6,
  cpuMs: 0.02 / 1e6,
  objectRequest: 0.15 / 1e6,
  objectGbSecond: 12.5 / 1e6,
  objectRowWritten: 1 / 1e6,
  r2ClassA: 4.5 / 1e6,
  r2ClassB: 0.36 / 1e6,
  r2GbMonth: 0.015,
  d1RowWritten: 1 / 1e6,
} as const;

/** Written, read and deleted. */
const QUEUE_OPERATIONS_PER_MESSAGE = 3;
/** Measured: a call with its row takes 2 to 3 ms of processor time. */
const CPU_MS_PER_CALL = 2.5;
/** An object is billed for 128 MB while it is awake, and it is awake for the whole run. */
const OBJECT_GB = 0.128;
/** The protocol's budget with few lanes an invocation. */
const OBJECT_REQUESTS_PER_CALL = 0.25;
/** A commit writes the part, its chunk and the run; a lease and its release write two more each. */
const ROWS_PER_PART = 3;
const ROWS_PER_CHUNK = 6;
/** Nobody knows before: one failure in a hundred items, each a row and an index entry in D1. */
const FAILED_SHARE = 0.01;
const D1_ROWS_PER_FAILURE = 2;
/** A guess for rows of unknown answers. */
const ROW_BYTES = 500;
/** Parts and joined results, kept for a month. */
const COPIES = 2;

export interface CostInput {
  readonly items: number;
  readonly chunks: number;
  readonly chunkSize: number;
  /** Lanes that are live at once. */
  readonly lanes: number;
  readonly seconds: number;
}

export interface Cost {
  readonly usd: number;
  /** What each kind of operation adds, USD. */
  readonly lines: Readonly<Record<Exclude<keyof typeof PRICES, "asOf">, number>>;
}

/** The price of one run. Every figure grows at most linearly with the items: the price of an item is flat. */
export function estimateCost(input: CostInput): Cost {
  const units = countUnits(input);
  const lines = {
    queueOperation: units.queueOperation * PRICES.queueOperation,
    workerRequest: units.workerRequest * PRICES.workerRequest,
    cpuMs: units.cpuMs * PRICES.cpuMs,
    objectRequest: units.objectRequest * PRICES.objectRequest,
    objectGbSecond: units.objectGbSecond * PRICES.objectGbSecond,
    objectRowWritten: units.objectRowWritten * PRICES.objectRowWritten,
    r2ClassA: units.r2ClassA * PRICES.r2ClassA,
    r2ClassB: units.r2ClassB * PRICES.r2ClassB,
    r2GbMonth: units.r2GbMonth * PRICES.r2GbMonth,
    d1RowWritten: units.d1RowWritten * PRICES.d1RowWritten,
  };
  return { usd: Object.values(lines).reduce((sum, line) => sum + line, 0), lines };
}

/** How often the run does what is billed. */
function countUnits(input: CostInput): Cost["lines"] {
  const { items, chunks, chunkSize, seconds } = input;
  const invocations = Math.ceil(Math.max(1, input.lanes) / LANES_PER_INVOCATION_DEPLOYED);
  const messages = invocations * (1 + Math.ceil((seconds * 1000) / SLICE_MAX_MS)) + 2;
  const pollMs = Math.max(POLL_MS, invocations * POLL_MS_PER_INVOCATION);
  const parts = chunks * Math.ceil(Math.min(chunkSize, items) / PART_ROWS);
  const resultBytes = items * ROW_BYTES;
  return {
    queueOperation: messages * QUEUE_OPERATIONS_PER_MESSAGE,
    workerRequest: messages,
    cpuMs: items * CPU_MS_PER_CALL,
    objectRequest:
      Math.max(items * OBJECT_REQUESTS_PER_CALL, (invocations * seconds * 1000) / pollMs) + parts,
    objectGbSecond: seconds * OBJECT_GB,
    objectRowWritten: parts * ROWS_PER_PART + chunks * ROWS_PER_CHUNK,
    r2ClassA: parts + Math.ceil(resultBytes / OBJECT_PART_BYTES) + 2,
    r2ClassB: parts + chunks + Math.ceil(resultBytes / SOURCE_WINDOW_BYTES),
    r2GbMonth: (resultBytes * COPIES) / 1e9,
    d1RowWritten: items * FAILED_SHARE * D1_ROWS_PER_FAILURE,
  };
}
