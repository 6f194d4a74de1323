/** The Target object's SQLite: its name, when it was made, and one document, written when something given out changed. */
import type { TargetDocument } from "./driver.ts";

export interface About {
  readonly name: string;
  readonly createdAtMs: number;
}

export class TargetStore {
  readonly #sql: SqlStorage;
  about: About | null = null;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.prepare();
  }

  /** Makes the table where it is not there: at first, and after everything was deleted. */
  prepare(): void {
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS target (one INTEGER PRIMARY KEY CHECK (one = 1), about TEXT NOT NULL, document TEXT NOT NULL)",
    );
  }

  /** Null: there is no target. */
  load(): TargetDocument | null {
    const [stored] = this.#sql
      .exec<{ about: string; document: string }>("SELECT about, document FROM target")
      .toArray();
    if (stored === undefined) return null;
    this.about = JSON.parse(stored.about) as About;
    return JSON.parse(stored.document) as TargetDocument;
  }

  store(document: TargetDocument): void {
    if (this.about === null) throw new Error("a target has a name before it has a state");
    this.#sql.exec(
      "INSERT OR REPLACE INTO target VALUES (1, ?, ?)",
      JSON.stringify(this.about),
      JSON.stringify(document),
    );
  }
}
