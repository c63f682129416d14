-- +goose Up
-- Pages over all servers read those only about which something is open. A plan
-- knows when its first copy arrived: 0 while nothing can be restored from it.
ALTER TABLE backup_plans ADD COLUMN copied_at BIGINT NOT NULL DEFAULT 0;
SELECT set_config('ostler.customer', '*', true); -- this migration changes everybody's rows
UPDATE backup_plans SET copied_at = COALESCE((SELECT MIN(s.arrived_at) FROM backup_snapshots s WHERE s.plan_id = backup_plans.id), 0);
CREATE INDEX backup_plans_uncopied ON backup_plans (id) WHERE copied_at = 0;
CREATE INDEX presence_well ON presence (server) WHERE connected = 1 AND frozen_at = 0;
CREATE INDEX servers_looked_after ON servers (id, state) WHERE state <> 'retired';
CREATE INDEX tenancies_living ON tenancies (id) WHERE ended_at = 0;
CREATE INDEX findings_open_group ON findings (grp, severity_rank, opened_at, id) WHERE closed_at = 0;

-- What was appended and has no place yet, in as few columns and indexes as can
-- be: every change of everything waits for its row here. entry is a JSON list of
-- the other columns, data and commitments as text. The view names them, and has
-- the name of the table that it takes the place of.
CREATE TABLE ledger_appended (
  id          TEXT,
  customer_id TEXT, -- '' is the company itself
  entry       TEXT
);
ALTER TABLE ledger_appended ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_appended FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON ledger_appended USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
INSERT INTO ledger_appended (id, customer_id, entry)
  SELECT id, customer_id, json_build_array(at, server_id, subject, kind, actor_kind, actor_id, convert_from(data, 'UTF8'), convert_from(commitments, 'UTF8'))::text FROM ledger_pending ORDER BY id;
DROP TABLE ledger_pending;
CREATE VIEW ledger_pending AS
  SELECT id, customer_id, e ->> 1 AS server_id, e ->> 2 AS subject, e ->> 3 AS kind, e ->> 4 AS actor_kind,
    e ->> 5 AS actor_id, (e ->> 0)::bigint AS at, convert_to(e ->> 6, 'UTF8') AS data, convert_to(e ->> 7, 'UTF8') AS commitments
  FROM (SELECT id, customer_id, entry::json AS e FROM ledger_appended) a;

-- +goose Down
SELECT set_config('ostler.customer', '*', true);
CREATE TABLE ledger_waiting (
  id          TEXT PRIMARY KEY,
  customer_id TEXT,
  server_id   TEXT,
  subject     TEXT,
  kind        TEXT,
  actor_kind  TEXT,
  actor_id    TEXT,
  at          BIGINT,
  data        BYTEA,
  commitments BYTEA
);
INSERT INTO ledger_waiting SELECT id, customer_id, server_id, subject, kind, actor_kind, actor_id, at, data, commitments FROM ledger_pending;
ALTER TABLE ledger_waiting ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_waiting FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON ledger_waiting USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
DROP VIEW ledger_pending;
DROP TABLE ledger_appended;
ALTER TABLE ledger_waiting RENAME TO ledger_pending;
DROP INDEX findings_open_group;
DROP INDEX tenancies_living;
DROP INDEX servers_looked_after;
DROP INDEX presence_well;
DROP INDEX backup_plans_uncopied;
ALTER TABLE backup_plans DROP COLUMN copied_at;
