-- Which schedules there are and when each has to be looked at. The Schedule objects are the authority: this is
-- rebuilt from the names in R2 and from them.
CREATE TABLE schedules (
  id TEXT PRIMARY KEY,
  created_at TEXT NOT NULL,
  -- When the next tick has something to do (ms); 0: at every tick; null: never by itself.
  wake_at_ms INTEGER,
  -- Of the object's state: an older one never replaces a newer one.
  revision INTEGER NOT NULL
);

CREATE INDEX schedules_by_creation ON schedules (created_at, id);

CREATE INDEX schedules_by_wake ON schedules (wake_at_ms) WHERE wake_at_ms IS NOT NULL;
