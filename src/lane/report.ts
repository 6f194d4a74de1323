/**
 * What the lanes of one invocation saw since the last request that was composed.
 *
 * A report is taken out whole when a request is composed and repeated with it until it is answered: nothing is
 * counted twice, nothing is lost with an answer.
 */
import { ANSWERED_AFTER_MS, RECOVERIES_TO_TELL, TROUBLES_PER_REPORT } from "../core/limits.ts";
import type { Fault, Operations, Report, Trouble } from "../core/protocol.ts";
import { addUsage, type Usage } from "../core/usage.ts";

export class Tally {
  #calls = 0;
  #close = 0;
  #throttled = 0;
  #inFlight = 0;
  #answered = 0;
  #probeAnswered = false;
  #troubles: Trouble[] = [];
  #troublesSinceAnswer = 0;
  #callMs = 0;
  #blocked: string | null = null;
  #refusing: string | null = null;
  #operations: Partial<Operations> = {};
  #usage: Usage | null = null;
  #fault: Fault | null = null;
  #upMs = Number.NEGATIVE_INFINITY;
  /** Counts up with every answered call over the whole invocation: "has anything answered since?" */
  #answers = 0;
  #answeredLeftMs = Number.NEGATIVE_INFINITY;
  #recoveries = 0;

  get inFlight(): number {
    return this.#inFlight;
  }

  get answers(): number {
    return this.#answers;
  }

  /** Items of this invocation were served after tries that were not answered, or with a 5xx. */
  get areRecovering(): boolean {
    return this.#recoveries >= RECOVERIES_TO_TELL;
  }

  /** An item was served after such a try. */
  recovered(): void {
    this.#recoveries += 1;
  }

  /** When the latest of the calls left that were answered; local clock. */
  get answeredLeftMs(): number {
    return this.#answeredLeftMs;
  }

  get blocked(): string | null {
    return this.#blocked;
  }

  /** `isClose`: closer behind the call before it than permits lie apart. */
  callLeft(isClose = false): void {
    this.#calls += 1;
    if (isClose) this.#close += 1;
    this.#inFlight += 1;
  }

  callEnded(durationMs: number): void {
    this.#inFlight -= 1;
    this.#callMs += durationMs;
  }

  /**
   * When the target was certainly up last, local clock: a call that was answered left then, or had been under way for
   * long. What failed before, failed while others were answered.
   */
  get upMs(): number {
    return this.#upMs;
  }

  /** A try ended with an answer that is neither throttled, down nor refused; when it began, and when it ended. */
  answer(probe: boolean, leftMs = Number.NEGATIVE_INFINITY, endedMs = leftMs): void {
    this.#upMs = Math.max(this.#upMs, leftMs, endedMs - ANSWERED_AFTER_MS);
    this.#answeredLeftMs = Math.max(this.#answeredLeftMs, leftMs);
    this.#answers += 1;
    this.#answered += 1;
    this.#troublesSinceAnswer = 0;
    if (probe) this.#probeAnswered = true;
  }

  /** A host of its own was throttled: it counts, and says nothing about the others. */
  throttledApart(probe: boolean, leftMs: number, endedMs: number): void {
    this.#throttled += 1;
    this.answer(probe, leftMs, endedMs);
  }

  /** A try ended in trouble. Beyond the bound the oldest are forgotten: the newest decide. */
  trouble(trouble: Trouble): void {
    if (trouble.kind === "throttled") this.#throttled += 1;
    this.#troubles.push(trouble);
    if (this.#troubles.length > TROUBLES_PER_REPORT) this.#troubles.shift();
    this.#troublesSinceAnswer = Math.min(this.#troublesSinceAnswer + 1, TROUBLES_PER_REPORT);
  }

  /** What the last call that ended down ended with. */
  fault(fault: Fault): void {
    this.#fault = fault;
  }

  /** The run cannot go on without help; the first sentence stands. */
  block(sentence: string): void {
    this.#blocked ??= sentence;
  }

  /** The platform refuses something that a lane insists on. */
  refused(sentence: string): void {
    this.#refusing = sentence;
  }

  count(operation: keyof Operations, n: number): void {
    this.#operations[operation] = (this.#operations[operation] ?? 0) + n;
  }

  /** An answer told what its call used. */
  spend(usage: Usage): void {
    this.#usage = this.#usage === null ? usage : addUsage(this.#usage, usage);
  }

  /** Takes out what was seen; `forfeited` permits are counted by the pacer, `retrying` items by the lanes. */
  take(forfeited: number, nowMs: number, retrying = 0): Report {
    const agoMs = nowMs - this.#upMs;
    const report: Report = {
      calls: this.#calls,
      ...(this.#close > 0 && { close: this.#close }),
      throttled: this.#throttled,
      inFlight: this.#inFlight,
      answered: this.#answered,
      probeAnswered: this.#probeAnswered,
      troubles: this.#troubles,
      troublesSinceAnswer: this.#troublesSinceAnswer,
      callMs: this.#callMs,
      forfeited,
      blocked: this.#blocked,
      ...(this.#answered > 0 && agoMs > 0 && Number.isFinite(agoMs) && { answeredAgoMs: agoMs }),
      ...(this.#fault === null ? {} : { fault: this.#fault }),
      ...(retrying === 0 ? {} : { retrying }),
      ...(this.#refusing === null ? {} : { refusing: this.#refusing }),
      operations: this.#operations,
      ...(this.#usage === null ? {} : { usage: this.#usage }),
    };
    this.#calls = 0;
    this.#close = 0;
    this.#throttled = 0;
    this.#answered = 0;
    this.#probeAnswered = false;
    this.#troubles = [];
    this.#troublesSinceAnswer = 0;
    this.#callMs = 0;
    this.#refusing = null;
    this.#fault = null;
    this.#operations = {};
    this.#usage = null;
    return report;
  }
}
