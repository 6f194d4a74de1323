-- D1 is an index: everything here can be rebuilt from R2 and the runs' manifests.

CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  name TEXT,
  status TEXT NOT NULL,
  created_at TEXT NOT NULL,
  ended_at TEXT,
  parent TEXT,
  root TEXT NOT NULL,
  -- The upload the run reads its items from, when it reads one.
  input_name TEXT,
  input_upload TEXT,
  -- When this snapshot was taken (ms): an older one never replaces a newer one.
  snapshot_at_ms INTEGER NOT NULL,
  -- The run as JSON, as it was then.
  snapshot TEXT NOT NULL
);

CREATE INDEX runs_by_creation ON runs (created_at, id);

CREATE INDEX runs_by_parent ON runs (parent) WHERE parent IS NOT NULL;

CREATE INDEX runs_by_input ON runs (input_name) WHERE input_name IS NOT NULL;

CREATE INDEX runs_unended ON runs (created_at) WHERE ended_at IS NULL;

-- One line for every failed row of every run.
CREATE TABLE failures (
  run TEXT NOT NULL,
  idx INTEGER NOT NULL,
  kind TEXT NOT NULL,
  message TEXT NOT NULL,
  -- The row as it stands in its part: its JSON text, so that every digit is kept.
  row TEXT NOT NULL,
  PRIMARY KEY (run, idx)
) WITHOUT ROWID;

-- Items of a retry run that went well: they settle failures of its ancestors.
CREATE TABLE recoveries (
  run TEXT NOT NULL,
  idx INTEGER NOT NULL,
  PRIMARY KEY (run, idx)
) WITHOUT ROWID;

CREATE TABLE idempotency_keys (
  key TEXT PRIMARY KEY,
  body_sha256 TEXT NOT NULL,
  run TEXT NOT NULL,
  created_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_run ON idempotency_keys (run);
