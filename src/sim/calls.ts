/**
 * What the lanes of one process call: tasks whose calls reach the simulated target. Takes the place of the tasks and
 * their way out, and keeps the rule between them and the lanes: a call leaves in the step in which its permit is used.
 */
import { itemsPerCall } from "../core/batch.ts";
import type { TokenCost } from "../core/limiter/tokenQuota.ts";
import type { Spec } from "../core/spec.ts";
import type { OpenTask } from "../lane/ports.ts";
import type { HostNeed, Permit, Permits } from "../tasks/calls/permits.ts";
import { type BatchOutcome, LaneStopped } from "../tasks/task.ts";
import type { Checks } from "./checks/checks.ts";
import type { EventLoop } from "./eventLoop.ts";
import type { Bug } from "./options.ts";
import type { Process } from "./process.ts";
import type { Fate, Target } from "./target.ts";

export interface CallsContext {
  readonly loop: EventLoop;
  readonly process: Process;
  readonly target: Target;
  readonly checks: Checks;
  /** What a call for an item needs of its host, and what it probably costs; undefined: nothing special. */
  readonly needOf: (item: number) => HostNeed | undefined;
  readonly costOf: (item: number) => TokenCost | undefined;
  /** A lane waited so long for a permit of the plain kind. */
  readonly waited: (ms: number) => void;
  /** A call has reached the target. */
  readonly arrived: (
    items: readonly number[],
    cost: { readonly isThrottled: boolean; readonly tokens: number },
  ) => void;
  readonly kill: () => void;
  readonly bug: Bug | null;
}

interface Try {
  readonly permits: Permits;
  readonly signal: AbortSignal;
}

export class Calls {
  readonly #context: CallsContext;
  /** Ends each of the calls under way. */
  readonly #open = new Set<() => void>();
  /** The same by the signal that ends them. Listened to once: a listener for each call would cost more than the call. */
  readonly #bySignal = new WeakMap<AbortSignal, Set<() => void>>();

  constructor(context: CallsContext) {
    this.#context = context;
  }

  open(spec: Spec): OpenTask {
    const { target, loop, bug } = this.#context;
    const most = itemsPerCall(spec);
    const task: OpenTask = {
      run: (input) => this.#try([input.index], input, () => target.call(input.index, loop.nowMs)),
      mask: (text) => text,
      close: async () => {},
    };
    if (most === 1) return task;
    const batch: NonNullable<OpenTask["batch"]> = {
      most,
      run: (input) => {
        const items = input.items.map(({ index }) => index);
        const arrive = () => target.callForAll(items, loop.nowMs);
        return this.#try(items, input, bug === "shifted-outcomes" ? () => shifted(arrive()) : arrive);
      },
    };
    return { ...task, batch };
  }

  /** The process is gone: what is under way is cut, and nobody is there for an outcome. */
  cut(): void {
    for (const close of [...this.#open]) close();
  }

  async #try<T>(items: readonly number[], { permits, signal }: Try, arrive: () => Fate<T>): Promise<T> {
    for (;;) {
      const permit = await this.#permit(items[0] ?? 0, permits, signal);
      if (signal.aborted) throw new LaneStopped();
      if (!permit.use()) continue;
      try {
        const outcome = await this.#call(items, signal, arrive);
        const passing = permit.giveWay();
        if (passing !== null) await passing;
        return outcome;
      } finally {
        permit.done();
      }
    }
  }

  async #permit(item: number, permits: Permits, signal: AbortSignal): Promise<Permit> {
    const { loop, needOf, costOf, waited } = this.#context;
    const [need, cost] = [needOf(item), costOf(item)];
    const fromMs = loop.nowMs;
    try {
      return await permits.take(signal, need, cost);
    } finally {
      if (need === undefined && permits.isCosted !== true) waited(loop.nowMs - fromMs);
    }
  }

  /** Rejects with LaneStopped when the lane has to stop. */
  #call<T>(items: readonly number[], signal: AbortSignal, arrive: () => Fate<T>): Promise<T> {
    const { loop, process, target, checks, arrived, kill } = this.#context;
    const stopped = this.#callsOf(signal);
    return new Promise((resolve, reject) => {
      let isOpen = false;
      let isOver = false;
      const close = (): void => {
        isOver = true;
        this.#open.delete(close);
        stopped.delete(stop);
        if (isOpen) checks.parallelism.ended();
        isOpen = false;
      };
      const stop = (): void => {
        close();
        reject(new LaneStopped());
      };
      const end = (outcome: T): void => {
        if (isOver) return;
        close();
        resolve(outcome);
      };
      const leave = (): void => {
        if (isOver || !process.isAlive) return;
        isOpen = true;
        const { throttled, tokens } = target;
        const { outcome, latencyMs, kills } = arrive();
        arrived(items, { isThrottled: target.throttled > throttled, tokens: target.tokens - tokens });
        loop.after(latencyMs, () => {
          // The target is done with it, whether its caller is there or not.
          if (isOpen) checks.parallelism.ended();
          isOpen = false;
          if (isOver) return;
          if (kills) kill();
          else process.deliver(() => end(outcome));
        });
      };
      this.#open.add(close);
      stopped.add(stop);
      const { lagMs } = process;
      if (lagMs > 0) loop.after(lagMs, leave);
      else leave();
    });
  }

  #callsOf(signal: AbortSignal): Set<() => void> {
    const known = this.#bySignal.get(signal);
    if (known !== undefined) return known;
    const calls = new Set<() => void>();
    this.#bySignal.set(signal, calls);
    signal.addEventListener("abort", () => {
      for (const stop of [...calls]) stop();
    });
    return calls;
  }
}

/** A planted bug: each item gets the answer of the next one. */
function shifted(fate: Fate<BatchOutcome>): Fate<BatchOutcome> {
  const { outcome } = fate;
  if (outcome.kind !== "each") return fate;
  const [first, ...rest] = outcome.outcomes;
  return first === undefined ? fate : { ...fate, outcome: { kind: "each", outcomes: [...rest, first] } };
}
