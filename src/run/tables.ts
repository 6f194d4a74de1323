/**
 * The Run object's SQLite: one document for the state, one for what it was told to do (which may hold a
 * megabyte of items and hardly changes) and one for the totals of `reduce`, tables for chunks, parts and leases.
 * Migrations are a list that only grows; `PRAGMA user_version` is not to be had, so a table counts them.
 */

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), run TEXT NOT NULL, clock TEXT NOT NULL);
   CREATE TABLE settings (one INTEGER PRIMARY KEY CHECK (one = 1), settings TEXT NOT NULL);
   CREATE TABLE chunks (
     chunk INTEGER PRIMARY KEY,
     first INTEGER NOT NULL, count INTEGER NOT NULL, indexes TEXT, position TEXT NOT NULL,
     state TEXT NOT NULL, available_at REAL NOT NULL, careful INTEGER NOT NULL,
     cursor INTEGER NOT NULL, source_position INTEGER, deferred TEXT NOT NULL,
     parts INTEGER NOT NULL, ok INTEGER NOT NULL, failed INTEGER NOT NULL, trouble TEXT NOT NULL
   );
   CREATE INDEX chunks_pending ON chunks (available_at, chunk) WHERE state = 'pending';
   CREATE TABLE parts (
     chunk INTEGER NOT NULL, n INTEGER NOT NULL, seq INTEGER NOT NULL, key TEXT NOT NULL,
     first_index INTEGER NOT NULL, last_index INTEGER NOT NULL, ok INTEGER NOT NULL, failed INTEGER NOT NULL,
     bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, indexed INTEGER NOT NULL,
     PRIMARY KEY (chunk, n)
   ) WITHOUT ROWID;
   CREATE UNIQUE INDEX parts_seq ON parts (seq);
   CREATE INDEX parts_unindexed ON parts (seq) WHERE indexed = 0;
   CREATE TABLE leases (
     fence INTEGER PRIMARY KEY, chunk INTEGER NOT NULL, invocation TEXT NOT NULL, generation TEXT NOT NULL
   );`,
  "CREATE TABLE totals (one INTEGER PRIMARY KEY CHECK (one = 1), totals TEXT NOT NULL);",
  "ALTER TABLE leases ADD COLUMN helps INTEGER;",
];

/** Brings the object's database up to date; called in the constructor only. */
export function migrate(sql: SqlStorage): void {
  sql.exec("CREATE TABLE IF NOT EXISTS migrations (done INTEGER NOT NULL)");
  const done = sql.exec<{ done: number }>("SELECT count(*) AS done FROM migrations").one().done;
  for (const [at, migration] of MIGRATIONS.entries()) {
    if (at < done) continue;
    sql.exec(migration);
    sql.exec("INSERT INTO migrations VALUES (?)", at + 1);
  }
}
