/**
 * The run's hours: whether calls may leave now, and until when, on the run's clock.
 *
 * The window is one of the wall clock, permits are of the run's: so the wall clock is read again with every event, and a
 * clock that is set moves the window with it. Outside the window the lanes are drained as in a pause, what is under way
 * is committed, and the run wakes when the window opens.
 */
import { CLOCK_ERROR_MS, COSTED_GRACE_MS } from "../limits.ts";
import type { Spec, WindowSpec } from "../spec.ts";
import { openingAt } from "../window/window.ts";

/** In memory only: found again with the next event. */
export interface Hours {
  /** Of the window that this was found for. */
  window: WindowSpec | null;
  isOpen: boolean;
  /** Found at this instant of the wall clock, and the same until the next one; Infinity: it does not change. */
  foundAtMs: number;
  changesAtMs: number;
  /** How far the run's clock was ahead of the wall clock in the latest event. */
  aheadMs: number;
}

/** Of a run: what its hours are, and what is known of them. */
interface Timed {
  readonly hours: Hours;
  readonly state: { readonly spec: Pick<Spec, "window"> };
}

/** A permit may be used so long after its instant: none is given out so close to the end. */
const SHUT_EARLY_MS = COSTED_GRACE_MS + CLOCK_ERROR_MS;

/** Shut until the first event, where there is a window. */
export function createHours(window: WindowSpec | null): Hours {
  const isOpen = window === null;
  return { window, isOpen, foundAtMs: Number.NaN, changesAtMs: Number.POSITIVE_INFINITY, aheadMs: 0 };
}

/** Reads the clocks: `nowMs` the run's, `wallMs` the wall's. Call with every event, before anything is decided. */
export function keepHours({ hours, state }: Timed, nowMs: number, wallMs: number): void {
  const window = state.spec.window ?? null;
  hours.aheadMs = nowMs - wallMs;
  const isKnown = hours.window === window && wallMs >= hours.foundAtMs && wallMs < hours.changesAtMs;
  if (isKnown) return;
  const opening = window === null ? ALWAYS : openingAt(window, wallMs);
  hours.window = window;
  hours.isOpen = opening.isOpen;
  hours.foundAtMs = wallMs;
  hours.changesAtMs = opening.changesAtMs ?? Number.POSITIVE_INFINITY;
}

const ALWAYS = { isOpen: true, changesAtMs: null } as const;

/** For how long instants may still be given out, milliseconds from `nowMs`; 0: none may; Infinity: no end is known. */
export function openForMs({ hours }: Pick<Timed, "hours">, nowMs: number): number {
  if (!hours.isOpen) return 0;
  return Math.max(0, hours.changesAtMs + hours.aheadMs - SHUT_EARLY_MS - nowMs);
}

/** When the window opens (run clock); null while it is open. It is shut a moment before it closes. */
export function opensAtMs({ hours }: Pick<Timed, "hours">, nowMs: number): number | null {
  if (!hours.isOpen) return hours.changesAtMs + hours.aheadMs;
  const { window } = hours;
  if (window === null || nowMs + SHUT_EARLY_MS < hours.changesAtMs + hours.aheadMs) return null;
  return (openingAt(window, hours.changesAtMs).changesAtMs ?? Number.POSITIVE_INFINITY) + hours.aheadMs;
}
