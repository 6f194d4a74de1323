/**
 * Fences: they only grow, and a commit moves a chunk only under the newest lease of that chunk, by its own holder,
 * before the lease is over; the lease of a side lane moves none. Also gathers the parts that a request committed.
 */
import type { PartMeta, SyncAnswer, SyncRequest } from "../../core/protocol.ts";
import type { Run } from "../../core/run/run.ts";
import { Violation } from "./violation.ts";

interface Issued {
  readonly fence: number;
  readonly invocation: string;
}

export class FenceCheck {
  #highest = 0;
  /** The newest lease of each chunk. */
  readonly #newest = new Map<number, Issued>();
  /** Leases of side lanes. */
  readonly #helping = new Set<number>();
  /** Parts that chunks had before the request. */
  #before: readonly number[] = [];
  /** The same request was answered before: it changes nothing. */
  #isRepeat = false;

  before(run: Run, request: SyncRequest): void {
    this.#isRepeat = request.seq <= (run.answers.get(request.invocation)?.seq ?? 0);
    this.#before = request.commits.map(({ chunk }) => run.ledger.get(chunk)?.parts ?? 0);
  }

  /** The parts that count from now on. */
  after(run: Run, request: SyncRequest, answer: SyncAnswer): readonly PartMeta[] {
    if (this.#isRepeat) return [];
    const committed: PartMeta[] = [];
    request.commits.forEach(({ chunk, fence, part }, at) => {
      if (answer.commits[at]?.kind !== "committed") return;
      if (this.#helping.has(fence)) {
        if (part !== null)
          throw new Violation("fences", `side lane ${fence} committed a part of chunk ${chunk}`);
        return;
      }
      const holder = this.#newest.get(chunk);
      if (holder?.fence !== fence || holder.invocation !== request.invocation) {
        throw new Violation(
          "fences",
          `chunk ${chunk} took a commit under fence ${fence}, its newest is ${holder?.fence ?? "none"}`,
        );
      }
      const parts = run.ledger.get(chunk)?.parts ?? 0;
      if (part !== null && parts > (this.#before[at] ?? 0)) committed.push(part);
    });
    for (const { fence, work, helps } of answer.leases) {
      if (fence <= this.#highest)
        throw new Violation("fences", `fence ${fence} was issued after ${this.#highest}`);
      this.#highest = fence;
      if (helps !== undefined) this.#helping.add(fence);
      else this.#newest.set(work.chunk, { fence, invocation: request.invocation });
    }
    return committed;
  }
}
