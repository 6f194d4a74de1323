/**
 * A run's rows in the object's SQLite: read once, when the object begins, and written as the driver says. Settings and
 * totals are written only when they changed.
 */
import type { Totals } from "../core/reduce/reduce.ts";
import type { RunState } from "../core/run/run.ts";
import type { RunClock } from "../core/time.ts";
import { CountedSql } from "./countedSql.ts";
import type { Change, StoredLease, StoredRun } from "./driver.ts";
import { SqlLedger } from "./sqlLedger.ts";
import { migrate } from "./tables.ts";

export class RunStore {
  readonly ledger: SqlLedger;
  readonly #sql: CountedSql;
  #savedSettings = 0;
  #savedTotals: Totals | null = null;

  constructor(sql: SqlStorage) {
    migrate(sql);
    this.#sql = new CountedSql(sql);
    this.ledger = new SqlLedger(this.#sql);
  }

  /** Null: nothing was stored. */
  load(): StoredRun | null {
    const [stored] = this.#sql.all<{ run: string; clock: string; settings: string }>(
      "SELECT run, clock, settings FROM state, settings",
    );
    if (stored === undefined) return null;
    const state = { lingerMs: 0, ...JSON.parse(stored.run), ...JSON.parse(stored.settings) } as RunState;
    const [totals] = this.#sql.all<{ totals: string }>("SELECT totals FROM totals");
    this.#savedSettings = state.settingsVersion;
    this.#savedTotals = totals === undefined ? null : (JSON.parse(totals.totals) as Totals);
    return {
      state,
      clock: JSON.parse(stored.clock) as RunClock,
      leases: this.#sql.all<StoredLease>("SELECT * FROM leases"),
      totals: this.#savedTotals,
    };
  }

  /** Within the event's transaction. */
  store({ begun, ended, document }: Change): void {
    for (const fence of ended) this.#sql.all("DELETE FROM leases WHERE fence = ?", fence);
    for (const { fence, chunk, invocation, generation, helps } of begun)
      this.#sql.all("INSERT INTO leases VALUES (?, ?, ?, ?, ?)", fence, chunk, invocation, generation, helps);
    if (document === null) return;
    const { state, totals } = document.run;
    state.operations.rowsWritten += this.#sql.rowsWritten;
    this.#sql.rowsWritten = 0;
    this.#saveSettings(state);
    this.#saveTotals(totals);
    this.#sql.all(
      "INSERT OR REPLACE INTO state VALUES (1, ?, ?)",
      JSON.stringify({ ...state, spec: undefined, itemSource: undefined }),
      JSON.stringify(document.clock),
    );
  }

  #saveSettings({ settingsVersion, spec, itemSource }: RunState): void {
    if (settingsVersion === this.#savedSettings) return;
    this.#savedSettings = settingsVersion;
    this.#sql.all("INSERT OR REPLACE INTO settings VALUES (1, ?)", JSON.stringify({ spec, itemSource }));
  }

  #saveTotals(totals: Totals | null): void {
    if (totals === null || totals === this.#savedTotals) return;
    this.#savedTotals = totals;
    this.#sql.all("INSERT OR REPLACE INTO totals VALUES (1, ?)", JSON.stringify(totals));
  }
}
