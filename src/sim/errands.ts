/** What else the queues ask for: planning, indexing what lanes left undone, joining the parts. Each may be cut off. */
import { PARTS_PER_INDEX_CALL } from "../core/limits.ts";
import type { Errand } from "../core/run/run.ts";
import type { Network } from "./network.ts";
import type { Process } from "./process.ts";
import type { RunProcess } from "./runProcess.ts";
import type { Storage } from "./storage.ts";

const PLAN_STEP_MS = 100;
const JOIN_MS = 100;

export class Errands {
  readonly #run: RunProcess;
  readonly #storage: Storage;
  readonly #network: Network;

  constructor(run: RunProcess, storage: Storage, network: Network) {
    this.#run = run;
    this.#storage = storage;
    this.#network = network;
  }

  /** Rejects when the platform refuses: the Run sends for it again. */
  work(errand: Errand, process: Process): Promise<void> {
    switch (errand) {
      case "plan":
        return this.#plan(process);
      case "index":
        return this.#index(process);
      case "finish":
        return this.#finish(process);
      default:
        return errand satisfies never;
    }
  }

  async #plan(process: Process): Promise<void> {
    do await process.sleep(PLAN_STEP_MS);
    while (this.#network.reaches() && this.#run.plan());
  }

  async #index(process: Process): Promise<void> {
    for (;;) {
      if (!this.#network.reaches()) return;
      const parts = this.#run.unindexed(PARTS_PER_INDEX_CALL);
      if (parts.length === 0) return;
      await this.#storage.index(process);
      if (!this.#network.reaches()) return;
      this.#run.markIndexed(parts);
    }
  }

  async #finish(process: Process): Promise<void> {
    if (!this.#network.reaches() || !this.#run.canFinish()) return;
    await process.sleep(JOIN_MS);
    await this.#storage.touch(process);
    if (this.#network.reaches() && this.#run.canFinish()) this.#run.finished();
  }
}
