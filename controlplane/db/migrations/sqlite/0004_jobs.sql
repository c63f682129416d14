-- +goose Up
-- seq is the order in which jobs were queued.
CREATE TABLE jobs (
  seq            INTEGER PRIMARY KEY AUTOINCREMENT,
  id             TEXT NOT NULL UNIQUE,
  kind           TEXT NOT NULL,
  executor       TEXT NOT NULL,
  server         TEXT NOT NULL,
  customer_id    TEXT NOT NULL,
  resource       TEXT NOT NULL,
  unique_key     TEXT NOT NULL UNIQUE,
  supersede_key  TEXT NOT NULL,
  subject        TEXT NOT NULL,
  title          TEXT NOT NULL,
  params         BLOB NOT NULL,
  state          TEXT NOT NULL,
  epoch          INTEGER NOT NULL,
  attempt        INTEGER NOT NULL,
  max_attempts   INTEGER NOT NULL,
  not_before     INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL,
  timeout_ms     INTEGER NOT NULL,
  created_at     INTEGER NOT NULL,
  offered_at     INTEGER NOT NULL,
  accepted_at    INTEGER NOT NULL,
  started_at     INTEGER NOT NULL,
  finished_at    INTEGER NOT NULL,
  lease_until    INTEGER NOT NULL,
  lost           INTEGER NOT NULL,
  settled_epoch  INTEGER NOT NULL,
  agent          TEXT NOT NULL,
  progress       BLOB,
  result         BLOB,
  failure_cause  TEXT NOT NULL,
  failure_detail BLOB,
  cancel_asked   INTEGER NOT NULL,
  actor_kind     TEXT NOT NULL,
  actor_id       TEXT NOT NULL
);
-- One job at a time for each resource of a server.
CREATE UNIQUE INDEX jobs_resource_held ON jobs (server, resource) WHERE resource <> '' AND state IN ('offered', 'accepted', 'running');
CREATE INDEX jobs_server_queue ON jobs (server, state, executor, seq);
CREATE INDEX jobs_resource ON jobs (server, resource, state, seq);
CREATE INDEX jobs_queue ON jobs (executor, state, seq);
CREATE INDEX jobs_due ON jobs (executor, state, not_before);
CREATE INDEX jobs_open ON jobs (seq) WHERE state IN ('queued', 'offered', 'accepted', 'running');
CREATE INDEX jobs_expiry ON jobs (expires_at) WHERE state = 'queued' AND expires_at > 0;
CREATE INDEX jobs_lease ON jobs (lease_until) WHERE state IN ('offered', 'accepted', 'running');
CREATE INDEX jobs_supersede ON jobs (supersede_key) WHERE state = 'queued' AND supersede_key <> '';
CREATE INDEX jobs_customer ON jobs (customer_id, seq);
CREATE INDEX jobs_subject ON jobs (subject, seq);
CREATE INDEX jobs_server_seq ON jobs (server, seq);


CREATE TABLE job_schedules (
  id          TEXT PRIMARY KEY,
  sched_key   TEXT NOT NULL UNIQUE,
  kind        TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  subject     TEXT NOT NULL,
  cron        TEXT NOT NULL,
  zone        TEXT NOT NULL,
  jitter_ms   INTEGER NOT NULL,
  catch_up    INTEGER NOT NULL,
  enabled     INTEGER NOT NULL,
  planned_at  INTEGER NOT NULL,
  next_at     INTEGER NOT NULL,
  last_at     INTEGER NOT NULL
);
CREATE INDEX job_schedules_due ON job_schedules (next_at) WHERE enabled = 1;


-- +goose Down
DROP TABLE job_schedules;
DROP TABLE jobs;
