/**
 * What the platform charges, as published: USD a unit above what the Workers Paid plan includes. One table with one date:
 * plans, simulations and benchmarks all price from it.
 */
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

/** How often a run does what is charged. */
export type Units = Readonly<Record<Exclude<keyof typeof PRICES, "asOf">, number>>;

export interface Cost {
  readonly usd: number;
  /** What each kind of operation adds, USD. */
  readonly lines: Units;
}

/** Units at the table's prices. */
export function priceOf(units: Units): Cost {
  const lines: Units = {
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
