/** What the Run has stored, in memory: what a restart finds, and nothing else. */
import type { Totals } from "../core/reduce/reduce.ts";
import { MemoryLedger } from "../core/run/memoryLedger.ts";
import type { RunState } from "../core/run/run.ts";
import type { RunClock } from "../core/time.ts";
import type { Change, StoredLease, StoredRun } from "../run/driver.ts";

export class MemoryStore {
  readonly ledger = new MemoryLedger();
  readonly #leases = new Map<number, StoredLease>();
  readonly #isRead: boolean;
  #document: { readonly text: string; readonly clock: RunClock } | null = null;

  /** `isRead` false: no process ever begins from it, so documents are not kept. */
  constructor(isRead: boolean) {
    this.#isRead = isRead;
  }

  /** Null: nothing was stored. */
  load(): StoredRun | null {
    if (this.#document === null) return null;
    const { state, totals } = JSON.parse(this.#document.text) as { state: RunState; totals: Totals | null };
    return { state, totals, clock: this.#document.clock, leases: [...this.#leases.values()] };
  }

  store({ begun, ended, document }: Change): void {
    for (const fence of ended) this.#leases.delete(fence);
    for (const { fence, chunk, invocation, generation, helps } of begun)
      this.#leases.set(fence, { fence, chunk, invocation, generation, helps });
    if (document === null || !this.#isRead) return;
    const { state, totals } = document.run;
    this.#document = { text: JSON.stringify({ state, totals }), clock: document.clock };
  }
}
