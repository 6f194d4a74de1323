/** Leases: one that is over when its answer comes is given back with the next request, and nobody works under it. */
import { LEASE_TTL_MS } from "../../core/limits.ts";
import type { SyncAnswer, SyncRequest } from "../../core/protocol.ts";
import { Violation } from "./violation.ts";

export class LeaseCheck {
  /** Fences of such leases. */
  readonly #over = new Set<number>();

  /** An answer came `tookMs` after its request left. True: it brought leases that were over. */
  answered(answer: SyncAnswer, tookMs: number): boolean {
    if (answer.leases.length === 0 || tookMs < LEASE_TTL_MS) return false;
    for (const { fence } of answer.leases) this.#over.add(fence);
    return true;
  }

  asked({ invocation, held }: SyncRequest): void {
    const kept = held.find((fence) => this.#over.has(fence));
    if (kept !== undefined)
      throw new Violation("leases", `${invocation} holds lease ${kept}, which was over when it came`);
  }
}
