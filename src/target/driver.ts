/**
 * The driver of a named target: loads, asks the core, stores, then answers. What it needs of the world stands behind
 * ports, so the Target object and a simulation are two users of one driver.
 *
 * Invariant: nothing is awaited between reading and writing state, and what an answer gives out is stored before it leaves.
 */
import { askPermits } from "../core/target/permits.ts";
import { fromStored, needsStoring, type StoredTarget, toStored } from "../core/target/storedTarget.ts";
import {
  askShare,
  attachRun,
  configureTarget,
  createTarget,
  detachRun,
  passTargetTime,
  type TargetState,
} from "../core/target/target.ts";
import type { PermitsAnswer, PermitsAsk, TargetAnswer, TargetAsk } from "../core/target/targetProtocol.ts";
import type { TargetSettings } from "../core/target/targetSettings.ts";
import { type ClockReading, type RunClock, readClock, startClock } from "../core/time.ts";

/** What is stored: one document. */
export interface TargetDocument {
  readonly target: StoredTarget;
  readonly clock: RunClock;
}

export interface TargetPorts {
  /** The clocks of the process; `wallMs` in milliseconds since 1970. */
  reading(): ClockReading;
  /** Writes the document, whole or not at all. */
  store(document: TargetDocument): void;
}

export class TargetDriver {
  /** Null: there is none, or none any more. */
  target: TargetState | null = null;
  readonly #ports: TargetPorts;
  #clock: RunClock;
  #stored: StoredTarget | null = null;

  constructor(ports: TargetPorts, stored: TargetDocument | null) {
    this.#ports = ports;
    this.#clock = startClock(stored?.clock ?? null, ports.reading());
    if (stored === null) return;
    this.#stored = stored.target;
    this.target = fromStored(stored.target, this.now());
  }

  /** The target's clock, ms: never goes back. */
  now(): number {
    this.#clock = readClock(this.#clock, this.#ports.reading());
    return this.#clock.lastMs;
  }

  /** Makes the target, or gives it other limits. */
  configure(settings: TargetSettings): void {
    const nowMs = this.now();
    if (this.target === null) this.target = createTarget(settings, nowMs);
    else configureTarget(this.target, settings, nowMs);
    this.#store(this.target);
  }

  attach(run: string): void {
    if (this.target === null) return;
    attachRun(this.target, run);
    this.#store(this.target);
  }

  detach(run: string): void {
    if (this.target === null) return;
    detachRun(this.target, run);
    this.#store(this.target);
  }

  ask(ask: TargetAsk): TargetAnswer {
    if (this.target === null) return { kind: "gone" };
    const answer = askShare(this.target, ask, this.now());
    this.#store(this.target);
    return answer;
  }

  /** Null: there is no such target. */
  permits(ask: PermitsAsk): PermitsAnswer | null {
    if (this.target === null) return null;
    const answer = askPermits(this.target, ask, this.now());
    this.#store(this.target);
    return answer;
  }

  /** As it is now; null: there is none. */
  look(): { readonly target: TargetState; readonly nowMs: number } | null {
    if (this.target === null) return null;
    const nowMs = this.now();
    passTargetTime(this.target, nowMs);
    return { target: this.target, nowMs };
  }

  forget(): void {
    this.target = null;
    this.#stored = null;
  }

  #store(target: TargetState): void {
    if (this.#stored !== null && !needsStoring(target, this.#stored)) return;
    const stored = toStored(target);
    this.#ports.store({ target: stored, clock: this.#clock });
    this.#stored = stored;
  }
}
