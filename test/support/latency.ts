/** How long the target takes for an answer: uniform or log-normal, and slower in a brownout. */
import { MAX_LATENCY_MS, type TargetOptions } from "./targetOptions.ts";

/** Milliseconds; 0: at once. `random` uniform in 0…1. */
export function latencyOf(options: TargetOptions, random: () => number): number {
  const { latencyMs = [0, 0], slowedBy = 1 } = options;
  const ms =
    "medianMs" in latencyMs
      ? latencyMs.medianMs * Math.exp(latencyMs.spread * normal(random))
      : latencyMs[0] + random() * (latencyMs[1] - latencyMs[0]);
  return Math.min(MAX_LATENCY_MS, ms * slowedBy);
}

/** Box and Muller's: one number of the standard normal distribution from two uniform ones. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
