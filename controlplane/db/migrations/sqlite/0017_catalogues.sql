-- +goose Up
-- A snapshot that a server no longer finds in its store.
ALTER TABLE backup_snapshots ADD COLUMN gone_at INTEGER NOT NULL DEFAULT 0;
DROP INDEX backup_snapshots_customer;
DROP INDEX backup_snapshots_plan;
DROP INDEX backup_snapshots_server;
CREATE INDEX backup_snapshots_customer ON backup_snapshots (customer_id, arrived_at, id) WHERE gone_at = 0;
CREATE INDEX backup_snapshots_plan ON backup_snapshots (plan_id, arrived_at, id) WHERE gone_at = 0;
CREATE INDEX backup_snapshots_server ON backup_snapshots (server_id, arrived_at, id) WHERE gone_at = 0;
CREATE INDEX backup_snapshots_gone ON backup_snapshots (customer_id, arrived_at, id) WHERE gone_at > 0;

-- One for each plan: the names of the files of all its snapshots. The manifest
-- names the segments, and no files.
CREATE TABLE catalogues (
  plan_id         TEXT PRIMARY KEY REFERENCES backup_plans (id),
  customer_id     TEXT NOT NULL,
  server_id       TEXT NOT NULL,
  state           TEXT NOT NULL,
  generation      INTEGER NOT NULL,
  version         INTEGER NOT NULL,
  manifest        BLOB NOT NULL,
  next_ordinal    INTEGER NOT NULL,
  last_arrived    INTEGER NOT NULL,
  last_snapshot   TEXT NOT NULL,
  entries         INTEGER NOT NULL,
  bytes           INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL
);
CREATE INDEX catalogues_customer ON catalogues (customer_id, plan_id);

-- How far each snapshot is on its way into its plan's catalogue.
CREATE TABLE catalogue_snapshots (
  snapshot_id     TEXT PRIMARY KEY REFERENCES backup_snapshots (id),
  customer_id     TEXT NOT NULL,
  plan_id         TEXT NOT NULL,
  generation      INTEGER NOT NULL,
  ordinal         INTEGER NOT NULL,
  state           TEXT NOT NULL,
  cause           TEXT NOT NULL,
  entries         INTEGER NOT NULL,
  tries           INTEGER NOT NULL,
  retry_at        INTEGER NOT NULL,
  job_id          TEXT NOT NULL,
  updated_at      INTEGER NOT NULL
);
CREATE INDEX catalogue_snapshots_plan ON catalogue_snapshots (plan_id, ordinal);
CREATE INDEX catalogue_snapshots_waiting ON catalogue_snapshots (retry_at) WHERE retry_at > 0;
CREATE INDEX catalogue_snapshots_gone ON catalogue_snapshots (plan_id) WHERE state = 'gone' AND ordinal >= 0;

-- What is stored, sealed, or about to be. delete_at is when it may be deleted,
-- 0 where a manifest names it, -1 while it is being deleted.
CREATE TABLE catalogue_segments (
  name            TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  plan_id         TEXT NOT NULL,
  delete_at       INTEGER NOT NULL
);
CREATE INDEX catalogue_segments_plan ON catalogue_segments (plan_id);
CREATE INDEX catalogue_segments_delete ON catalogue_segments (delete_at) WHERE delete_at <> 0;

-- +goose Down
DROP TABLE catalogue_segments;
DROP TABLE catalogue_snapshots;
DROP TABLE catalogues;
DROP INDEX backup_snapshots_gone;
DROP INDEX backup_snapshots_server;
DROP INDEX backup_snapshots_plan;
DROP INDEX backup_snapshots_customer;
ALTER TABLE backup_snapshots DROP COLUMN gone_at;
CREATE INDEX backup_snapshots_customer ON backup_snapshots (customer_id, arrived_at, id);
CREATE INDEX backup_snapshots_plan ON backup_snapshots (plan_id, arrived_at, id);
CREATE INDEX backup_snapshots_server ON backup_snapshots (server_id, arrived_at, id);
