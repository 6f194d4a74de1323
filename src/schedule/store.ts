/**
 * The Schedule object's SQLite: one document for what it is told to do, one for its state, a row for each fire that
 * is over. Loaded once, kept in memory, written when something changed.
 *
 * Invariant: a step and the fires it closes are written together, in the event in which they were decided.
 */
import { FIRES_KEPT, IDLE_FIRES_KEPT } from "../core/limits.ts";
import type { Fire, ScheduleSettings, ScheduleState, Step } from "../core/schedule/scheduleState.ts";
import type { CreateSchedule } from "../objects/schedule.ts";
import { type Calendar, calendarOf } from "./cron.ts";

export type About = Omit<CreateSchedule, "watermarkMs">;

export class ScheduleStore {
  readonly #sql: SqlStorage;
  #about: About | null = null;
  #state: ScheduleState | null = null;
  #calendar: Calendar | null = null;
  /** Counts the changes: the index in D1 keeps the newest. */
  revision = 0;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS about (one INTEGER PRIMARY KEY CHECK (one = 1), about TEXT NOT NULL)",
    );
    sql.exec(
      "CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 1), state TEXT NOT NULL, revision INTEGER NOT NULL)",
    );
    sql.exec(
      "CREATE TABLE IF NOT EXISTS fires (scheduled_at_ms INTEGER PRIMARY KEY, seq INTEGER NOT NULL, has_run INTEGER NOT NULL, fire TEXT NOT NULL)",
    );
    sql.exec("CREATE INDEX IF NOT EXISTS fires_by_seq ON fires (has_run, seq)");
    const [stored] = sql
      .exec<{ about: string; state: string; revision: number }>(
        "SELECT about, state, revision FROM about, state",
      )
      .toArray();
    if (stored === undefined) return;
    this.#about = JSON.parse(stored.about) as About;
    this.#state = JSON.parse(stored.state) as ScheduleState;
    this.revision = stored.revision;
  }

  /** Null: the schedule is not there (any more). */
  get about(): About | null {
    return this.#about;
  }

  /** Only while it is there. */
  get state(): ScheduleState {
    if (this.#state === null) throw new Error("the schedule is gone");
    return this.#state;
  }

  /** Only while it is there. */
  get id(): string {
    return this.#there().id;
  }

  /** Only while it is there. */
  get settings(): ScheduleSettings {
    return this.#there().settings;
  }

  /** Only while it is there. */
  get calendar(): Calendar {
    const { cron, timeZone } = this.settings;
    this.#calendar ??= calendarOf(cron, timeZone);
    return this.#calendar;
  }

  create(about: About, state: ScheduleState): void {
    this.#writeAbout(about);
    this.write({ state, closed: [] });
  }

  changeSettings(settings: ScheduleSettings): void {
    this.#writeAbout({ ...this.#there(), settings });
  }

  /** After a deletion that broke a turn off nothing is written. */
  write(step: Step): void {
    if (this.#about === null) return;
    this.#state = step.state;
    this.revision += 1;
    this.#sql.exec(
      "INSERT OR REPLACE INTO state VALUES (1, ?, ?)",
      JSON.stringify(step.state),
      this.revision,
    );
    for (const fire of step.closed) this.#note(fire);
  }

  /** A fire that is over. */
  fire(scheduledAtMs: number): Fire | null {
    const [row] = this.#sql
      .exec<{ fire: string }>("SELECT fire FROM fires WHERE scheduled_at_ms = ?", scheduledAtMs)
      .toArray();
    return row === undefined ? null : (JSON.parse(row.fire) as Fire);
  }

  /** Fires that are over, the latest instant first. */
  firesBefore(beforeMs: number, limit: number): readonly Fire[] {
    return this.#sql
      .exec<{ fire: string }>(
        "SELECT fire FROM fires WHERE scheduled_at_ms < ? ORDER BY scheduled_at_ms DESC LIMIT ?",
        beforeMs,
        limit,
      )
      .toArray()
      .map((row) => JSON.parse(row.fire) as Fire);
  }

  /** The fire that was over last. */
  lastFire(): Fire | null {
    const [row] = this.#sql
      .exec<{ fire: string }>("SELECT fire FROM fires ORDER BY seq DESC LIMIT 1")
      .toArray();
    return row === undefined ? null : (JSON.parse(row.fire) as Fire);
  }

  /** The caller deletes the tables. */
  forget(): void {
    this.#about = null;
    this.#state = null;
  }

  #there(): About {
    if (this.#about === null) throw new Error("the schedule is gone");
    return this.#about;
  }

  #writeAbout(about: About): void {
    this.#about = about;
    this.#calendar = null;
    this.#sql.exec("INSERT OR REPLACE INTO about VALUES (1, ?)", JSON.stringify(about));
  }

  /** A fire with a run is never replaced by one without. */
  #note(fire: Fire): void {
    const hasRun = fire.run === null ? 0 : 1;
    this.#sql.exec(
      `INSERT INTO fires VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM fires), ?2, ?3)
       ON CONFLICT (scheduled_at_ms) DO UPDATE SET seq = excluded.seq, has_run = ?2, fire = ?3
       WHERE has_run <= ?2`,
      fire.scheduledAtMs,
      hasRun,
      JSON.stringify(fire),
    );
    this.#sql.exec(
      "DELETE FROM fires WHERE has_run = ?1 AND seq <= (SELECT seq FROM fires WHERE has_run = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
      hasRun,
      hasRun === 1 ? FIRES_KEPT : IDLE_FIRES_KEPT,
    );
  }
}
