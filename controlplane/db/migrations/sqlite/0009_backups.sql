-- +goose Up
CREATE TABLE backup_stores (
  id              TEXT PRIMARY KEY,
  name            TEXT NOT NULL UNIQUE,
  url             TEXT NOT NULL,
  pin             TEXT NOT NULL,
  htpasswd_path   TEXT NOT NULL,
  pid_path        TEXT NOT NULL,
  location        TEXT NOT NULL,
  country         TEXT NOT NULL,
  created_at      INTEGER NOT NULL
);

CREATE TABLE backup_repositories (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  tenancy_id      TEXT NOT NULL UNIQUE,
  server_id       TEXT NOT NULL,
  store_id        TEXT NOT NULL REFERENCES backup_stores (id),
  store_user      TEXT NOT NULL UNIQUE,
  state           TEXT NOT NULL,
  custody         TEXT NOT NULL,
  restic_id       TEXT NOT NULL,
  key_fingerprint TEXT NOT NULL,
  store_hash      BLOB,
  escrow_sealed   BLOB,
  reveal_private  BLOB,
  reveal_sealed   BLOB,
  key_check       BLOB,
  round           INTEGER NOT NULL,
  failure_cause   TEXT NOT NULL,
  confirmed_at    INTEGER NOT NULL,
  confirmed_by    TEXT NOT NULL,
  created_at      INTEGER NOT NULL
);
CREATE INDEX backup_repositories_customer ON backup_repositories (customer_id, id);
CREATE INDEX backup_repositories_server ON backup_repositories (server_id);

CREATE TABLE backup_plans (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  tenancy_id      TEXT NOT NULL,
  server_id       TEXT NOT NULL,
  repository_id   TEXT NOT NULL REFERENCES backup_repositories (id),
  name            TEXT NOT NULL,
  paths           TEXT NOT NULL,
  excludes        TEXT NOT NULL,
  cron            TEXT NOT NULL,
  zone            TEXT NOT NULL,
  jitter_seconds  INTEGER NOT NULL,
  catch_up        INTEGER NOT NULL,
  enabled         INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  UNIQUE (tenancy_id, name)
);
CREATE INDEX backup_plans_customer ON backup_plans (customer_id, id);
CREATE INDEX backup_plans_server ON backup_plans (server_id);

CREATE TABLE backup_runs (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  plan_id         TEXT NOT NULL REFERENCES backup_plans (id),
  server_id       TEXT NOT NULL,
  job_id          TEXT NOT NULL,
  started_by      TEXT NOT NULL,
  state           TEXT NOT NULL,
  due_at          INTEGER NOT NULL,
  finished_at     INTEGER NOT NULL,
  snapshot_id     TEXT NOT NULL,
  failure_cause   TEXT NOT NULL,
  unread          BLOB,
  unread_count    INTEGER NOT NULL,
  files           INTEGER NOT NULL,
  bytes           INTEGER NOT NULL,
  added_bytes     INTEGER NOT NULL,
  duration_ms     INTEGER NOT NULL
);
CREATE INDEX backup_runs_plan ON backup_runs (plan_id, due_at);
CREATE INDEX backup_runs_customer ON backup_runs (customer_id, due_at);

CREATE TABLE backup_snapshots (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  plan_id         TEXT NOT NULL REFERENCES backup_plans (id),
  repository_id   TEXT NOT NULL REFERENCES backup_repositories (id),
  server_id       TEXT NOT NULL,
  run_id          TEXT NOT NULL,
  restic_id       TEXT NOT NULL,
  claimed_at      INTEGER NOT NULL,
  arrived_at      INTEGER NOT NULL,
  outcome         TEXT NOT NULL,
  unread_count    INTEGER NOT NULL,
  files           INTEGER NOT NULL,
  bytes           INTEGER NOT NULL,
  added_bytes     INTEGER NOT NULL,
  UNIQUE (repository_id, restic_id)
);
CREATE INDEX backup_snapshots_customer ON backup_snapshots (customer_id, arrived_at, id);
CREATE INDEX backup_snapshots_plan ON backup_snapshots (plan_id, arrived_at);

CREATE TABLE restores (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  server_id       TEXT NOT NULL,
  snapshot_id     TEXT NOT NULL REFERENCES backup_snapshots (id),
  kind            TEXT NOT NULL,
  job_id          TEXT NOT NULL UNIQUE,
  state           TEXT NOT NULL,
  path            BLOB NOT NULL,
  target          BLOB NOT NULL,
  size            INTEGER NOT NULL,
  sha256          TEXT NOT NULL,
  chunks          INTEGER NOT NULL,
  failure_cause   TEXT NOT NULL,
  created_by      TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  finished_at     INTEGER NOT NULL,
  expires_at      INTEGER NOT NULL,
  fetched_at      INTEGER NOT NULL
);
CREATE INDEX restores_customer ON restores (customer_id, created_at, id);
CREATE INDEX restores_expires ON restores (expires_at);

CREATE TABLE restore_chunks (
  restore_id      TEXT NOT NULL REFERENCES restores (id),
  customer_id     TEXT NOT NULL,
  idx             INTEGER NOT NULL,
  size            INTEGER NOT NULL,
  sha256          TEXT NOT NULL,
  blob_key        TEXT NOT NULL,
  stored_at       INTEGER NOT NULL,
  PRIMARY KEY (restore_id, idx)
);
CREATE TABLE backup_listings (
  snapshot_id     TEXT NOT NULL REFERENCES backup_snapshots (id),
  path_hash       TEXT NOT NULL,
  customer_id     TEXT NOT NULL,
  job_id          TEXT NOT NULL,
  asked_at        INTEGER NOT NULL,
  PRIMARY KEY (snapshot_id, path_hash)
);

-- +goose Down
DROP TABLE backup_listings;
DROP TABLE restore_chunks;
DROP TABLE restores;
DROP TABLE backup_snapshots;
DROP TABLE backup_runs;
DROP TABLE backup_plans;
DROP TABLE backup_repositories;
DROP TABLE backup_stores;
