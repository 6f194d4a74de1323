/**
 * The Worker of a process that has lanes only: the product's own consumer, for runs whose objects live in another
 * process. Between its lanes and the Run stands a gate: while it is shut, requests that carry a commit wait in it,
 * as on a network that delivers late. Requests to this Worker shut and open the gate and tell what came of it.
 */
import type { QueueMessage, SyncAnswer, SyncRequest } from "../../src/core/protocol.ts";
import { consume } from "../../src/lane/consumer.ts";
import type { Env } from "../../src/objects/env.ts";
import { runById } from "../../src/objects/runStub.ts";

/** A commit that the Run refused. */
export interface RefusedCommit {
  readonly chunk: number;
  /** Hash of the part it named; null when it named none. */
  readonly sha256: string | null;
}

export interface GateView {
  /** Commits that wait in the gate. */
  readonly held: number;
  readonly refused: readonly RefusedCommit[];
}

const LOOK_MS = 10;

class Gate {
  #held = 0;
  #isShut = false;
  readonly #refused: RefusedCommit[] = [];

  shut(): void {
    this.#isShut = true;
  }

  open(): void {
    this.#isShut = false;
  }

  view(): GateView {
    return { held: this.#held, refused: this.#refused };
  }

  async pass(request: SyncRequest, send: (request: SyncRequest) => Promise<SyncAnswer>): Promise<SyncAnswer> {
    const { commits } = request;
    if (this.#isShut && commits.length > 0) {
      this.#held += commits.length;
      // Asks again and again: one request of a Worker cannot wake another.
      while (this.#isShut) await scheduler.wait(LOOK_MS);
      this.#held -= commits.length;
    }
    const answer = await send(request);
    for (const { kind, fence } of answer.commits) {
      const commit = commits.find((one) => one.fence === fence);
      if (kind !== "stale" || commit === undefined) continue;
      this.#refused.push({ chunk: commit.chunk, sha256: commit.part?.sha256 ?? null });
    }
    return answer;
  }
}

const gate = new Gate();

/** Everything as the platform gives it, but for the way to the Run. */
function throughGate(env: Env): Env {
  const stubOf = (id: string) =>
    new Proxy(env.RUN.getByName(id), {
      get: (stub, key) =>
        key === "sync"
          ? (request: SyncRequest) => gate.pass(request, (passed) => runById(env, id).sync(passed))
          : Reflect.get(stub, key),
    });
  const RUN = new Proxy(env.RUN, {
    get: (namespace, key) => (key === "getByName" ? stubOf : Reflect.get(namespace, key)),
  });
  return { ...env, RUN };
}

export default {
  queue: (batch, env) => consume(batch, throughGate(env)),
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/shut") gate.shut();
    if (pathname === "/open") gate.open();
    return Response.json(gate.view());
  },
} satisfies ExportedHandler<Env, QueueMessage>;
