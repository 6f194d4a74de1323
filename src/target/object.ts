/**
 * The Target object: the only authority on a named target. It is the driver (`driver.ts`) on SQLite. It wakes nobody and
 * sets no alarm: runs ask, and a lease that is over is noticed when somebody asks.
 */
import { DurableObject } from "cloudflare:workers";
import { MAX_TARGET_RUNS } from "../core/limits.ts";
import type { PermitsAnswer, PermitsAsk, TargetAnswer, TargetAsk } from "../core/target/targetProtocol.ts";
import type { TargetSettings } from "../core/target/targetSettings.ts";
import { type TargetView, viewTarget } from "../core/target/targetView.ts";
import type { Env } from "../objects/env.ts";
import type { Control } from "../objects/run.ts";
import type { Target } from "../objects/target.ts";
import { TargetDriver } from "./driver.ts";
import { TargetStore } from "./store.ts";

/** A conflict names so many runs. */
const RUNS_NAMED = 5;

export class TargetObject extends DurableObject<Env> implements Target {
  readonly #store: TargetStore;
  readonly #driver: TargetDriver;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new TargetStore(ctx.storage.sql);
    const ports = {
      reading: () => ({ wallMs: Date.now(), monotonicMs: performance.now() }),
      store: (document: Parameters<TargetStore["store"]>[0]) => this.#store.store(document),
    };
    this.#driver = new TargetDriver(ports, this.#store.load());
  }

  async put(name: string, settings: TargetSettings): Promise<TargetView> {
    this.#store.about ??= { name, createdAtMs: Date.now() };
    this.#driver.configure(settings);
    const view = await this.view();
    if (view === null) throw new Error("a target that was just made is there");
    return view;
  }

  async settings(): Promise<TargetSettings | null> {
    return this.#driver.target?.settings ?? null;
  }

  async view(): Promise<TargetView | null> {
    const { about } = this.#store;
    const seen = this.#driver.look();
    if (about === null || seen === null) return null;
    return viewTarget(seen.target, { ...about, nowMs: seen.nowMs, wallMs: Date.now() });
  }

  async attach(run: string): Promise<Control<TargetSettings>> {
    const { target } = this.#driver;
    if (target === null) return { kind: "not-found" };
    if (target.users.size >= MAX_TARGET_RUNS && !target.users.has(run)) {
      const message = `the target ${this.#name} has ${MAX_TARGET_RUNS} runs, the most there may be at once`;
      return { kind: "conflict", message };
    }
    this.#driver.attach(run);
    return { kind: "ok", value: target.settings };
  }

  async detach(runs: readonly string[]): Promise<void> {
    for (const run of runs) this.#driver.detach(run);
  }

  async ask(ask: TargetAsk): Promise<TargetAnswer> {
    return this.#driver.ask(ask);
  }

  async permits(ask: PermitsAsk): Promise<Control<PermitsAnswer>> {
    const { settings } = this.#driver.target ?? {};
    if (ask.count > 0 && settings?.requests != null && settings.reserve === 0) {
      const message = `the target ${this.#name} keeps nothing for programs: weir target set ${this.#name} --reserve 10%`;
      return { kind: "conflict", message };
    }
    const value = this.#driver.permits(ask);
    return value === null ? { kind: "not-found" } : { kind: "ok", value };
  }

  async destroy(): Promise<Control<null>> {
    const { target } = this.#driver;
    if (target === null) return { kind: "not-found" };
    if (target.users.size > 0) return { kind: "conflict", message: inUse(this.#name, [...target.users]) };
    this.#driver.forget();
    this.#store.about = null;
    await this.ctx.storage.deleteAll();
    // A target of this name may be made again while the object lives.
    this.#store.prepare();
    return { kind: "ok", value: null };
  }

  get #name(): string {
    return this.#store.about?.name ?? "";
  }
}

function inUse(name: string, runs: readonly string[]): string {
  const named = runs.slice(0, RUNS_NAMED).join(", ");
  const more = runs.length > RUNS_NAMED ? ` and ${runs.length - RUNS_NAMED} more` : "";
  return `the target ${name} is used by ${named}${more}: it can be removed when they have ended (weir cancel RUN)`;
}
