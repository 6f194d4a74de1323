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
} from "../limits.ts";
import type { Operations } from "../protocol.ts";
import { type Cost, priceOf, type Units } from "./prices.ts";

/** Written, read and deleted. */
const QUEUE_OPERATIONS_PER_MESSAGE = 3;
/** Measured by `npm run bench`: 0.5 to 1 ms for the whole process tree, which also plays the storage. */
const CPU_MS_PER_CALL = 1;
/** An object is billed for 128 MB while it is awake, and it is awake for the whole run. */
const OBJECT_GB = 0.128;
/** The protocol's budget with few lanes an invocation. */
const OBJECT_REQUESTS_PER_CALL = 0.25;
/**
 * Counted in real runs: a commit writes the part and its index entry, its chunk and the run, and a share of the state
 * that is written each second; a lease and its release write two more each.
 */
const ROWS_PER_PART = 5;
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

/** The price of one run. Every figure grows at most linearly with the items: the price of an item is flat. */
export function estimateCost(input: CostInput): Cost {
  return priceOf(planUnits(input));
}

/**
 * The price of a run that was made: its counted operations, and for what nobody can count (processor time, the object's
 * waking hours, a month of storage) the plan's own terms.
 */
export function countedCost(
  operations: Operations,
  seen: { readonly calls: number; readonly items: number; readonly seconds: number },
): Cost {
  return priceOf(countedUnits(operations, seen));
}

/** The units behind `countedCost`. */
export function countedUnits(
  operations: Operations,
  seen: { readonly calls: number; readonly items: number; readonly seconds: number },
): Units {
  return {
    queueOperation: operations.queue,
    workerRequest: operations.queue / QUEUE_OPERATIONS_PER_MESSAGE,
    cpuMs: seen.calls * CPU_MS_PER_CALL,
    objectRequest: operations.object,
    objectGbSecond: seen.seconds * OBJECT_GB,
    objectRowWritten: operations.rowsWritten,
    r2ClassA: operations.r2ClassA,
    r2ClassB: operations.r2ClassB,
    r2GbMonth: (seen.items * ROW_BYTES * COPIES) / 1e9,
    d1RowWritten: operations.d1RowsWritten,
  };
}

/** How often a planned run will do what is charged. */
export function planUnits(input: CostInput): Units {
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
