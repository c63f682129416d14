-- +goose Up
CREATE TABLE findings (
  id            TEXT PRIMARY KEY,
  "key"         TEXT NOT NULL,
  grp           TEXT NOT NULL,
  customer_id   TEXT NOT NULL,
  server        TEXT NOT NULL,
  subject       TEXT NOT NULL,
  kind          TEXT NOT NULL,
  severity      TEXT NOT NULL,
  severity_rank INTEGER NOT NULL,
  owner         TEXT NOT NULL,
  args          BLOB NOT NULL,
  next_step     TEXT NOT NULL,
  link          TEXT NOT NULL,
  opened_at     INTEGER NOT NULL,
  seen_at       INTEGER NOT NULL,
  closed_at     INTEGER NOT NULL,
  cause         TEXT NOT NULL,
  seen_count    INTEGER NOT NULL
);
-- One finding of a key is open at a time.
CREATE UNIQUE INDEX findings_open_key ON findings ("key") WHERE closed_at = 0;
CREATE INDEX findings_open ON findings (customer_id, severity_rank, opened_at, id) WHERE closed_at = 0;
CREATE INDEX findings_open_all ON findings (severity_rank, opened_at, id) WHERE closed_at = 0;
CREATE INDEX findings_open_server ON findings (server) WHERE closed_at = 0;
CREATE INDEX findings_open_subject ON findings (subject) WHERE closed_at = 0;
CREATE INDEX findings_closed ON findings (customer_id, closed_at, id) WHERE closed_at > 0;
CREATE INDEX findings_closed_all ON findings (closed_at, id) WHERE closed_at > 0;


-- +goose Down
DROP TABLE findings;
