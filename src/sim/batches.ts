/**
 * Calls that carry several items: the simulation plays a call as one item, so chunks, checkpoints and the smoke stage
 * are as many calls. What becomes of single items of a call is not played.
 */
import { itemsPerCall } from "../core/batch.ts";
import type { Spec } from "../core/spec.ts";

export interface Played {
  readonly spec: Spec;
  /** What counts as an item in the simulation. */
  readonly items: number;
  /** Items of the run for so many of these. */
  rows(played: number): number;
}

/** The run as the simulation plays it; one whose calls carry one item each is played as it is. */
export function playedByCalls(spec: Spec, items: number): Played {
  const perCall = itemsPerCall(spec);
  if (perCall === 1) return { spec, items, rows: (played) => played };
  const calls = (n: number) => Math.ceil(n / perCall);
  const { chunkSize, checkpoint, smoke } = spec;
  const whole = Math.max(0, Math.ceil(items / chunkSize) - 1);
  const played = whole * calls(chunkSize) + calls(items - whole * chunkSize);
  return {
    items: played,
    spec: {
      ...spec,
      chunkSize: calls(chunkSize),
      checkpoint: { ...checkpoint, items: calls(checkpoint.items) },
      smoke: smoke === null ? null : { ...smoke, items: calls(smoke.items) },
    },
    rows: (n) => Math.round((n * items) / played),
  };
}
