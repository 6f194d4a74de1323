/**
 * The platform operations of an errand (planning, indexing, joining) since it last told the Run: they are billed like
 * those of lanes. What an errand that dies had not told is lost: an account, not a ledger.
 */
import type { Operations } from "../core/protocol.ts";
import type { Count } from "../storage/bucket/count.ts";

export class Spending {
  #operations: Partial<Operations> = {};

  readonly count: Count = (operation, n) => {
    this.#operations[operation] = (this.#operations[operation] ?? 0) + n;
  };

  /** Takes out what was counted. */
  take(): Partial<Operations> {
    const operations = this.#operations;
    this.#operations = {};
    return operations;
  }
}
