/**
 * The run's clock: wall time plus an offset that absorbs steps.
 *
 * Invariant: `nowMs` never goes back, and never stands still for good. Within one process a monotonic reading,
 * where the platform has one, decides how far time went, so a step of the wall clock in either direction has no
 * effect; without one, steps back are absorbed by the offset. Steps forward beyond `forwardLimitMs` are cut off.
 * Across a restart nothing but the wall clock is known: time goes on from the later of it and the stored clock.
 */

export interface RunClock {
  /** Run time minus wall time, milliseconds. */
  readonly offsetMs: number;
  /** The last instant this clock showed, milliseconds since 1970 by the run's reckoning. */
  readonly lastMs: number;
  /** The monotonic reading of that instant; null after a restart or where there is none. */
  readonly monotonicMs: number | null;
}

export interface ClockReading {
  readonly wallMs: number;
  /** Milliseconds from any origin that stays the same within this process; null where there is none. */
  readonly monotonicMs: number | null;
  /**
   * The furthest that time may have gone since the last reading. Give it while leases are live and readings are
   * frequent, so that a clock set forward frees no lease early (workerd's `performance.now()` follows the wall).
   */
  readonly forwardLimitMs?: number;
}

/** Backward steps up to this are waited out: absorbing each would let a jittery clock run fast. */
const WAITED_OUT_MS = 250;

/** The clock of a process that starts, from what the former one stored (null: none). */
export function startClock(stored: RunClock | null, reading: ClockReading): RunClock {
  if (stored === null) return { offsetMs: 0, lastMs: reading.wallMs, monotonicMs: reading.monotonicMs };
  // The stored offset is dropped where the wall clock is ahead anyway: it has been set right meanwhile.
  const nowMs = Math.max(stored.lastMs, reading.wallMs);
  return { offsetMs: nowMs - reading.wallMs, lastMs: nowMs, monotonicMs: reading.monotonicMs };
}

/** The clock after a reading; its `lastMs` is the run's now. */
export function readClock(clock: RunClock, reading: ClockReading): RunClock {
  const nowMs = advancedMs(clock, reading);
  const isWaitedOut = nowMs === clock.lastMs && reading.wallMs + clock.offsetMs > nowMs - WAITED_OUT_MS;
  const offsetMs = isWaitedOut ? clock.offsetMs : nowMs - reading.wallMs;
  return { offsetMs, lastMs: nowMs, monotonicMs: reading.monotonicMs };
}

function advancedMs(clock: RunClock, reading: ClockReading): number {
  const aheadMs =
    clock.monotonicMs !== null && reading.monotonicMs !== null
      ? reading.monotonicMs - clock.monotonicMs
      : reading.wallMs + clock.offsetMs - clock.lastMs;
  return clock.lastMs + Math.min(Math.max(0, aheadMs), reading.forwardLimitMs ?? Number.POSITIVE_INFINITY);
}

/** ISO 8601 UTC text, or null for null. */
export function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of "500ms", "30s", "2m", "1h" (decimals allowed); null for anything else. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)$/.exec(text.trim());
  return match === null ? null : Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}

/**
 * Milliseconds since 1970 of an ISO 8601 instant with its offset ("2026-01-01T00:00Z", "2026-01-01T02:00:00+02:00"),
 * or of a date alone, which means midnight in UTC. Null for anything else and for days that do not exist.
 */
export function parseInstant(text: string): number | null {
  const match = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.exec(text);
  const ms = match === null ? Number.NaN : Date.parse(text);
  if (match === null || Number.isNaN(ms)) return null;
  const day = new Date(`${match[1]}T00:00Z`);
  return Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== match[1] ? null : ms;
}
