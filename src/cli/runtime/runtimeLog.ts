/**
 * The log of the embedded runtime: what it says goes into a file, for whoever looks for a fault. What its requests say
 * of their own computing (`core/requestMarks.ts`) is kept apart.
 *
 * Invariant: writing never throws. A disk that is full must not end the command.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { REQUEST_COMPUTED, REQUEST_COMPUTES } from "../../core/requestMarks.ts";

/** Bytes kept of one start; what follows is dropped. */
const MAX_LOG_BYTES = 10_000_000;

export interface RuntimeLog {
  write(line: { readonly level: string; readonly message: string }): void;
  /** A request to the API began to compute and has not ended since. */
  isComputingRequest(): boolean;
  close(): void;
}

/** `isContinued`: what the former runtime said is kept. */
export function openRuntimeLog(path: string, isContinued: boolean): RuntimeLog {
  const file = openSync(path, isContinued ? "a" : "w", 0o600);
  let bytes = 0;
  let isOpen = true;
  let isComputing = false;
  return {
    isComputingRequest: () => isComputing,
    write({ level, message }) {
      if (message === REQUEST_COMPUTES || message === REQUEST_COMPUTED) {
        isComputing = message === REQUEST_COMPUTES;
        return;
      }
      if (!isOpen || bytes >= MAX_LOG_BYTES) return;
      try {
        bytes += writeSync(file, `${new Date().toISOString()} ${level} ${message}\n`);
      } catch {
        // No room: the work goes on without it.
      }
    },
    close() {
      if (isOpen) closeSync(file);
      isOpen = false;
    },
  };
}
