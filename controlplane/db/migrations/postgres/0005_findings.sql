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
  severity_rank BIGINT NOT NULL,
  owner         TEXT NOT NULL,
  args          BYTEA NOT NULL,
  next_step     TEXT NOT NULL,
  link          TEXT NOT NULL,
  opened_at     BIGINT NOT NULL,
  seen_at       BIGINT NOT NULL,
  closed_at     BIGINT NOT NULL,
  cause         TEXT NOT NULL,
  seen_count    BIGINT NOT NULL
);
-- One finding of a key is open at a time.
CREATE UNIQUE INDEX findings_open_key ON findings ("key") WHERE closed_at = 0;
CREATE INDEX findings_open ON findings (customer_id, severity_rank, opened_at, id) WHERE closed_at = 0;
CREATE INDEX findings_open_all ON findings (severity_rank, opened_at, id) WHERE closed_at = 0;
CREATE INDEX findings_open_server ON findings (server) WHERE closed_at = 0;
CREATE INDEX findings_open_subject ON findings (subject) WHERE closed_at = 0;
CREATE INDEX findings_closed ON findings (customer_id, closed_at, id) WHERE closed_at > 0;
CREATE INDEX findings_closed_all ON findings (closed_at, id) WHERE closed_at > 0;
ALTER TABLE findings ENABLE ROW LEVEL SECURITY;
ALTER TABLE findings FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON findings USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- +goose Down
DROP TABLE findings;
