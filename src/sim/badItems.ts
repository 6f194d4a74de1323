/** Items that fail whenever they are called, whatever the target does for others: how many, where, and how. */
import type { TaskOutcome } from "../tasks/task.ts";
import { chanceOf } from "./random.ts";

export const FAULTS = ["500", "503", "400", "cut", "hang", "refused"] as const;
/** How a call fails; "refused": no connection is made, for any item. */
export type FaultKind = (typeof FAULTS)[number];

export interface BadItems {
  /** Of all items. */
  readonly share: number;
  readonly place: "head" | "tail" | "scattered";
  readonly fault: Exclude<FaultKind, "refused">;
}

const SALT = 0x2f1b5d;

export function isBad({ share, place }: BadItems, item: number, items: number): boolean {
  switch (place) {
    case "head":
      return item < share * items;
    case "tail":
      return item >= items - share * items;
    case "scattered":
      return chanceOf(item, SALT) < share;
    default:
      return place satisfies never;
  }
}

/** An outcome that is no success. */
export type Failed = Exclude<TaskOutcome, { readonly kind: "ok" }>;

/** A refused or cut connection comes back fast. */
const FAST_MS = 5;
/** The time limit of a call. */
const HANG_MS = 1000;

/** How a call ends that fails like this, and after how long; null: after the target's usual time. */
export function failure(fault: FaultKind): {
  readonly outcome: Failed;
  readonly latencyMs: number | null;
} {
  const lost = { kind: "transient", errorKind: "network", retryAfterMs: null } as const;
  switch (fault) {
    case "refused":
      return {
        outcome: { ...lost, message: "connection refused", isUnreached: true },
        latencyMs: FAST_MS,
      };
    case "cut":
      return { outcome: { ...lost, message: "connection lost" }, latencyMs: FAST_MS };
    case "hang":
      return { outcome: { ...lost, errorKind: "timeout", message: "no answer" }, latencyMs: HANG_MS };
    case "400":
      return {
        outcome: { kind: "permanent", errorKind: "http", status: 400, message: "400", called: true },
        latencyMs: null,
      };
    case "500":
    case "503":
      return {
        outcome: { ...lost, errorKind: "http", status: Number(fault), message: fault },
        latencyMs: null,
      };
    default:
      fault satisfies never;
      throw new Error("unknown fault");
  }
}
