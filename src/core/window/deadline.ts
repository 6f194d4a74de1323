/** Deadlines as people write them: an instant with its offset ("2026-01-01T06:00Z"), or a duration ("6h"). */
import { parseDuration, parseInstant } from "../time.ts";

/** True where `deadlineMs` reads it. */
export function isDeadline(text: string): boolean {
  return parseInstant(text) !== null || (parseDuration(text) ?? 0) > 0;
}

/** The instant that is meant, milliseconds since 1970; a duration counts from `fromMs`. Null where it is neither. */
export function deadlineMs(text: string, fromMs: number): number | null {
  const duration = parseDuration(text);
  return duration === null ? parseInstant(text) : fromMs + Math.round(duration);
}
