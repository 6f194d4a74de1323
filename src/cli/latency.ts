/** `--latency`: how long a call of the target takes, where nobody has called it yet. */
import { parseDuration } from "../core/time.ts";
import { type Flags, shown } from "./flags/arguments.ts";

/** Milliseconds; null where the flag was not given, or refused. */
export function latencyFlag(flags: Flags): number | null {
  const text = flags.get("latency");
  if (text === null) return null;
  const ms = parseDuration(text);
  if (ms !== null && ms > 0) return ms;
  return flags.refuse("latency", `--latency: ${shown(text)} is not a time; accepted: 500ms, 30s, 2m or 1h`);
}
