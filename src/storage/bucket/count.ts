/** Counting of platform operations for the cost model: whoever calls the platform says how often. */
import type { Operations } from "../../core/protocol.ts";

/** Adds `n` operations of one kind. */
export type Count = (operation: keyof Operations, n: number) => void;

/** The same for those who touch nothing but objects in R2. */
export type ObjectCount = (operation: "r2ClassA" | "r2ClassB", n: number) => void;

/** For callers that keep no account. */
export const uncounted: Count = () => {};
