/**
 * Leases: one that is over when its answer comes is given back with the next request, and nobody works under it. Where a
 * clock was set meanwhile its holder cannot know: then it gets no permit, and the Run refuses the lease at the next request.
 */
import { LEASE_TTL_MS } from "../../core/limits.ts";
import type { SyncAnswer, SyncRequest } from "../../core/protocol.ts";
import { Violation } from "./violation.ts";

export class LeaseCheck {
  /** Fences of such leases. */
  readonly #over = new Set<number>();

  #setMs = Number.NEGATIVE_INFINITY;

  /** The clock of a machine was set. */
  clockSet(nowMs: number): void {
    this.#setMs = nowMs;
  }

  /** An answer came whose request left at `sentMs`. True: it brought leases that were over. */
  answered(
    answer: SyncAnswer,
    { sentMs, nowMs }: { readonly sentMs: number; readonly nowMs: number },
  ): boolean {
    if (answer.leases.length === 0 || nowMs - sentMs < LEASE_TTL_MS || sentMs < this.#setMs) return false;
    for (const { fence } of answer.leases) this.#over.add(fence);
    return true;
  }

  asked({ invocation, held }: SyncRequest): void {
    const kept = held.find((fence) => this.#over.has(fence));
    if (kept !== undefined)
      throw new Violation("leases", `${invocation} holds lease ${kept}, which was over when it came`);
  }
}
