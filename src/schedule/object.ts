/**
 * The Schedule object: the only authority on a schedule. It decides with `src/core/schedule/schedule.ts`, stores, then acts.
 *
 * Invariants: turns follow one another, so no two of them start the same fire; a decision is stored in the event in
 * which it was made. It wakes nobody by itself: the minute's tick calls it, and a run of its own that has ended. Its
 * alarm only repeats what D1 refused.
 */
import { DurableObject } from "cloudflare:workers";
import * as core from "../core/schedule/schedule.ts";
import type { Fire, ScheduleState } from "../core/schedule/scheduleState.ts";
import type { FireView, ScheduleView } from "../core/schedule/scheduleView.ts";
import type { Env } from "../objects/env.ts";
import type { Control } from "../objects/run.ts";
import type { ChangeSchedule, CreateSchedule, Schedule } from "../objects/schedule.ts";
import { drivesSchedules } from "../objects/scheduleStub.ts";
import { callRun, controlRun } from "../runs/runRpc.ts";
import { upsertSchedule } from "../storage/index/schedules.ts";
import { usesWatermark } from "./placeholders.ts";
import { startFire } from "./start.ts";
import { ScheduleStore } from "./store.ts";
import { noteEnds, startWhatMay, type TurnPorts, takeTurn } from "./turn.ts";
import { viewFire, viewSchedule } from "./view.ts";

/** An index row that D1 refused is tried again after this. */
const INDEX_RETRY_MS = 5000;

export class ScheduleObject extends DurableObject<Env> implements Schedule {
  readonly #store: ScheduleStore;
  /** The turn under way, or the last one. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Revision the index knows. */
  #indexed = -1;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new ScheduleStore(ctx.storage.sql);
  }

  async create(input: CreateSchedule): Promise<Control<ScheduleView>> {
    const { about } = this.#store;
    if (about !== null && about.bodySha256 !== input.bodySha256) {
      return { kind: "conflict", message: "this Idempotency-Key was sent with another body" };
    }
    if (about === null) {
      const { watermarkMs, ...rest } = input;
      this.#store.create(rest, core.createSchedule(input.createdAtMs, watermarkMs));
    }
    return this.#changed();
  }

  async view(withSpec: boolean): Promise<ScheduleView | null> {
    const runWhy = await this.#runWhy();
    const drives = drivesSchedules(this.env);
    return viewSchedule(this.#store, { nowMs: Date.now(), drives, withSpec, runWhy });
  }

  async settings(): ReturnType<Schedule["settings"]> {
    const { about } = this.#store;
    return about === null ? null : { settings: about.settings, watermarkMs: this.#store.state.watermarkMs };
  }

  async change({ settings, watermarkMs }: ChangeSchedule): Promise<Control<ScheduleView>> {
    const { about } = this.#store;
    if (about === null) return { kind: "not-found" };
    const { cron, timeZone } = about.settings;
    this.#store.changeSettings(settings);
    let { state } = this.#store;
    if (watermarkMs !== undefined) state = core.setWatermark(state, watermarkMs);
    if (cron !== settings.cron || timeZone !== settings.timeZone) state = core.restartFrom(state, Date.now());
    this.#store.write({ state, closed: [] });
    return this.#changed();
  }

  async pause(): Promise<Control<ScheduleView>> {
    return this.#set((state) => core.pauseSchedule(state, "by request"));
  }

  async resume(): Promise<Control<ScheduleView>> {
    return this.#set((state) => core.resumeSchedule(state, Date.now()));
  }

  async fire(atMs: number): Promise<Control<FireView>> {
    if (this.#store.about === null) return { kind: "not-found" };
    if (!drivesSchedules(this.env)) {
      const message =
        "nobody would work on its run: schedules fire in weir dev, or in a Weir that is deployed";
      return { kind: "conflict", message };
    }
    await this.#inTurn(() => this.#fireNow(atMs));
    const fire = this.#fireAt(atMs);
    return fire === null ? { kind: "not-found" } : { kind: "ok", value: viewFire(fire) };
  }

  async fires(beforeMs: number | null, limit: number): Promise<FireView[]> {
    if (this.#store.about === null) return [];
    const before = beforeMs ?? Number.MAX_SAFE_INTEGER;
    const open = this.#store.state.open.filter((fire) => fire.scheduledAtMs < before);
    return [...open, ...this.#store.firesBefore(before, limit)]
      .sort((a, b) => b.scheduledAtMs - a.scheduledAtMs)
      .slice(0, limit)
      .map(viewFire);
  }

  async look(): Promise<boolean> {
    if (this.#store.about === null) return false;
    await this.#inTurn(() => takeTurn(this.#ports(), drivesSchedules(this.env)));
    return true;
  }

  async reindex(): Promise<boolean> {
    this.#indexed = -1;
    await this.#index();
    return this.#store.about !== null;
  }

  async destroy(): Promise<void> {
    await this.#inTurn(async () => {
      this.#store.forget();
      await this.ctx.storage.deleteAlarm();
      await this.ctx.storage.deleteAll();
    });
  }

  /** Caught as a whole: the platform drops an alarm after six failed retries. */
  override async alarm(): Promise<void> {
    await this.#indexOrRetry();
  }

  /** What a run that has not ended waits for: it may be all that holds the schedule up. */
  async #runWhy(): Promise<string | null> {
    if (this.#store.about === null) return null;
    const run = this.#store.state.open.find((fire) => fire.outcome === "running")?.run;
    if (run === undefined || run === null) return null;
    const view = await callRun(this.env, run, (one) => one.view()).catch(() => null);
    return view?.why ?? null;
  }

  async #fireNow(atMs: number): Promise<void> {
    const ports = this.#ports();
    await noteEnds(ports);
    const known = this.#fireAt(atMs);
    // One that led to no run may be fired again.
    if (known === null || known.run === null) {
      const isOpen = ports.state().open.some((fire) => fire.scheduledAtMs === atMs);
      const at = { scheduledAtMs: atMs, nowMs: Date.now() };
      if (!isOpen) ports.store(core.fireByHand(ports.state(), ports.rules(), at));
    }
    await startWhatMay(ports);
  }

  #fireAt(atMs: number): Fire | null {
    if (this.#store.about === null) return null;
    const open = this.#store.state.open.find((fire) => fire.scheduledAtMs === atMs);
    return open ?? this.#store.fire(atMs);
  }

  /** After the turns before it. A turn that fails does not hold up the next one. */
  async #inTurn(turn: () => Promise<void>): Promise<void> {
    const mine = this.#turn.then(() => (this.#store.about === null ? undefined : turn()));
    this.#turn = mine.catch(() => {});
    try {
      await mine;
    } finally {
      await this.#indexOrRetry();
    }
  }

  #set(by: (state: ScheduleState) => ScheduleState): Control<ScheduleView> | Promise<Control<ScheduleView>> {
    if (this.#store.about === null) return { kind: "not-found" };
    this.#store.write({ state: by(this.#store.state), closed: [] });
    return this.#changed();
  }

  async #changed(): Promise<Control<ScheduleView>> {
    await this.#indexOrRetry();
    const value = await this.view(true);
    return value === null ? { kind: "not-found" } : { kind: "ok", value };
  }

  async #indexOrRetry(): Promise<void> {
    try {
      await this.#index();
    } catch (error) {
      console.warn("D1 refused a schedule", error);
      await this.ctx.storage.setAlarm(Date.now() + INDEX_RETRY_MS);
    }
  }

  async #index(): Promise<void> {
    const { about, revision } = this.#store;
    if (about === null || revision === this.#indexed) return;
    const createdAt = new Date(about.createdAtMs).toISOString();
    await upsertSchedule(this.env.DB, { id: about.id, createdAt, wakeAtMs: this.#wakeAtMs(), revision });
    this.#indexed = revision;
  }

  /** While a fire is open every tick looks: its run may have ended without telling. */
  #wakeAtMs(): number | null {
    const { state, calendar } = this.#store;
    if (state.open.length > 0) return 0;
    return state.pausedWhy === null ? (calendar.next(state.seenMs, 1)[0] ?? null) : null;
  }

  #ports(): TurnPorts {
    const store = this.#store;
    const { env } = this;
    return {
      nowMs: Date.now,
      state: () => store.state,
      rules: () => ({ ...store.settings, usesWatermark: usesWatermark(store.settings.spec) }),
      store: (step) => store.write(step),
      due: (seenMs, nowMs) => {
        const due = store.calendar.due(seenMs, nowMs);
        const isKnown = due.newestMs !== null && (store.fire(due.newestMs)?.run ?? null) !== null;
        return { ...due, isKnown };
      },
      start: (fire) => startFire(env, { schedule: store.id, spec: store.settings.spec }, fire),
      statusOf: async (run) => (await callRun(env, run, (one) => one.view()))?.status ?? null,
      cancel: async (run) => void (await controlRun(env, run, (one) => one.cancel())),
      fault: (about, error) => console.warn(`${about}:`, error),
    };
  }
}
