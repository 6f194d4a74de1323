/** What else the queues ask for: planning, indexing what lanes left undone, joining the parts. Each may be cut off. */
import { PARTS_PER_INDEX_CALL } from "../core/limits.ts";
import type { Errand } from "../core/run/run.ts";
import type { Network } from "./network.ts";
import { type Process, type Routine, until } from "./process.ts";
import type { Message } from "./queues.ts";
import type { RunProcess } from "./runProcess.ts";
import type { Storage } from "./storage.ts";

const PLAN_STEP_MS = 100;
const JOIN_MS = 100;

export class Errands {
  readonly #host: RunProcess;
  readonly #storage: Storage;
  readonly #network: Network;

  constructor(host: RunProcess, storage: Storage, network: Network) {
    this.#host = host;
    this.#storage = storage;
    this.#network = network;
  }

  run(kind: Message["kind"], process: Process): Routine<void> {
    switch (kind as Errand) {
      case "plan":
        return this.#plan(process);
      case "index":
        return this.#index();
      case "finish":
        return this.#finish(process);
      default:
        throw new Error("work is not an errand");
    }
  }

  *#plan(process: Process): Routine<void> {
    do yield* until(process.sleep(PLAN_STEP_MS));
    while (this.#network.reaches() && this.#host.plan());
  }

  *#index(): Routine<void> {
    for (;;) {
      if (!this.#network.reaches()) return;
      const parts = this.#host.unindexed(PARTS_PER_INDEX_CALL);
      if (parts.length === 0) return;
      if ((yield* until(this.#storage.index())).kind === "refused") return;
      if (!this.#network.reaches()) return;
      this.#host.markIndexed(parts);
    }
  }

  *#finish(process: Process): Routine<void> {
    if (!this.#network.reaches() || !this.#host.canFinish()) return;
    yield* until(process.sleep(JOIN_MS));
    if ((yield* until(this.#storage.read("results"))).kind === "refused") return;
    if (this.#network.reaches() && this.#host.canFinish()) this.#host.finished();
  }
}
