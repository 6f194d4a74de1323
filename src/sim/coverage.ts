/** How often a simulation came by what it is meant to play: a feature that it never meets is not checked. */

export const FEATURES = [
  /** Leases of side lanes. */
  "sideLanes",
  /** Calls that carry several items, and items of them that were asked for again in a smaller group. */
  "batchCalls",
  /** Calls for a host of its own. */
  "hostCalls",
  /** Calls whose permits have a cost of their own. */
  "costedCalls",
  /** Runs that paused because their budget was used up. */
  "budgetPauses",
  /** Times that an event loop stood still. */
  "stalls",
  /** Times that a clock was set forward, and back. */
  "clockForward",
  "clockBack",
  /** Answers with leases that were over when they came. */
  "lateLeases",
  /** Requests that the Run refused because it had too much to do. */
  "overloads",
  /** Calls to the storage that were never answered. */
  "storageHangs",
] as const;
export type Feature = (typeof FEATURES)[number];

export class Coverage {
  readonly counts: Record<Feature, number>;

  constructor() {
    this.counts = Object.fromEntries(FEATURES.map((feature) => [feature, 0])) as Record<Feature, number>;
  }

  count(feature: Feature): void {
    this.counts[feature] += 1;
  }
}
