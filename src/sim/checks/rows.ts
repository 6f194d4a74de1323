/**
 * One row per item: every committed part is in the store as committed, no item has two rows, and what the Run counts
 * is what the parts hold. At the end every item has its row and the manifest covers them without a gap.
 */

import type { PartMeta } from "../../core/protocol.ts";
import type { MemoryLedger } from "../../core/run/memoryLedger.ts";
import { indexOf, isOk, type Storage } from "../storage.ts";
import type { Target } from "../target.ts";
import { Violation } from "./violation.ts";

export class RowCheck {
  readonly #storage: Storage;
  readonly #target: Target;
  readonly #settled: Uint8Array;
  #ok = 0;
  #failed = 0;

  constructor(items: number, storage: Storage, target: Target) {
    this.#settled = new Uint8Array(items);
    this.#storage = storage;
    this.#target = target;
  }

  /** The Run accepted a part. */
  committed(part: PartMeta): void {
    const stored = this.#storage.parts.get(part.key);
    if (stored === undefined) throw new Violation("manifest", `part ${part.key} is committed and not stored`);
    if (stored.hash !== part.sha256)
      throw new Violation("manifest", `part ${part.key} is stored with other rows than were committed`);
    let ok = 0;
    for (const row of stored.rows) {
      const index = indexOf(row);
      if (this.#settled[index] !== 0)
        throw new Violation("one row per item", `item ${index} has a second row in ${part.key}`);
      this.#settled[index] = 1;
      if (!isOk(row)) continue;
      ok += 1;
      if (!this.#target.mayServe(index))
        throw new Violation(
          "rows are answers",
          `item ${index} is ok in ${part.key}, and was never answered so`,
        );
    }
    if (part.ok !== ok || part.failed !== stored.rows.length - ok)
      throw new Violation("manifest", `part ${part.key} is counted with ${part.ok} ok rows, it has ${ok}`);
    this.#ok += part.ok;
    this.#failed += part.failed;
  }

  counted(counts: { readonly ok: number; readonly failed: number; readonly done: number }): void {
    if (counts.ok !== this.#ok || counts.failed !== this.#failed || counts.done !== this.#ok + this.#failed) {
      throw new Violation(
        "one row per item",
        `the run counts ${counts.ok} ok and ${counts.failed} failed, the parts hold ${this.#ok} and ${this.#failed}`,
      );
    }
  }

  /** The run has completed. */
  completed(ledger: MemoryLedger): void {
    this.#blameless(ledger);
    const missing = this.#settled.indexOf(0);
    if (missing >= 0) throw new Violation("one row per item", `item ${missing} has no row`);
    for (const record of ledger.chunks) {
      if (record.ok + record.failed !== record.plan.count)
        throw new Violation("manifest", `chunk ${record.chunk} is done with rows for some of its items`);
      for (let n = 0; n < record.parts; n++) {
        const stored = ledger.parts.get(`${record.chunk}/${n}`);
        if (stored === undefined)
          throw new Violation("manifest", `part ${n} of chunk ${record.chunk} is missing`);
        if (this.#storage.parts.get(stored.part.key)?.hash !== stored.part.sha256)
          throw new Violation("manifest", `part ${stored.part.key} changed after its commit`);
      }
    }
  }

  /** An outage, a fault of ours or another item's failures cost no item its row. */
  #blameless(ledger: MemoryLedger): void {
    for (const { part } of ledger.parts.values()) {
      for (const row of this.#storage.parts.get(part.key)?.rows ?? []) {
        if (!isOk(row) && !this.#target.mayFail(indexOf(row)))
          throw new Violation("no good item fails", `item ${indexOf(row)} failed in ${part.key}`);
      }
    }
  }
}
