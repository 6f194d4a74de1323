/** The account of a run: what it made the platform do, counted where it was done. Parallel to the bill, never a guess. */
import type { Operations } from "../protocol.ts";
import type { Run } from "./run.ts";

/** Adds to the run's account. */
export function spend({ state }: Run, spent: Partial<Operations> = {}): void {
  for (const [name, count] of Object.entries(spent)) {
    state.operations[name as keyof Operations] += count;
  }
}
