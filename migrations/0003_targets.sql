-- Which named targets there are. The Target objects are the authority: this is rebuilt from the names in R2.
CREATE TABLE targets (
  name TEXT PRIMARY KEY,
  created_at TEXT NOT NULL
);
