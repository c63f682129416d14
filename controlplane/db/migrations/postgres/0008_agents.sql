-- +goose Up
CREATE TABLE enrolments (
  id          TEXT PRIMARY KEY,
  secret_hash BYTEA NOT NULL UNIQUE,
  server      TEXT NOT NULL,
  cidr        TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL,
  used_at     BIGINT NOT NULL,
  agent       TEXT NOT NULL
);
CREATE INDEX enrolments_server ON enrolments (server, created_at);

CREATE TABLE agents (
  id          TEXT PRIMARY KEY,
  server      TEXT NOT NULL,
  enrolment   TEXT NOT NULL,
  state       TEXT NOT NULL,
  key_hash    BYTEA NOT NULL,
  next_hash   BYTEA NOT NULL,
  certificate BYTEA NOT NULL,
  not_after   BIGINT NOT NULL,
  hostname    TEXT NOT NULL,
  machine_id  TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  ended_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX agents_active ON agents (server) WHERE state = 'active';
CREATE INDEX agents_server ON agents (server, created_at);

CREATE TABLE presence (
  server          TEXT PRIMARY KEY,
  agent           TEXT NOT NULL,
  epoch           BIGINT NOT NULL,
  connected       BIGINT NOT NULL,
  replica         TEXT NOT NULL,
  instance        TEXT NOT NULL,
  superseded      TEXT NOT NULL,
  boot_id         TEXT NOT NULL,
  machine_id      TEXT NOT NULL,
  version         TEXT NOT NULL,
  actions         TEXT NOT NULL,
  seal_key        BYTEA NOT NULL,
  connected_at    BIGINT NOT NULL,
  disconnected_at BIGINT NOT NULL,
  heard_at        BIGINT NOT NULL,
  skew_ms         BIGINT NOT NULL,
  disk_free       BIGINT NOT NULL,
  disk_size       BIGINT NOT NULL,
  silent_at       BIGINT NOT NULL,
  skewed_at       BIGINT NOT NULL,
  frozen_at       BIGINT NOT NULL
);
CREATE INDEX presence_heard ON presence (silent_at, heard_at);

CREATE TABLE inventories (
  server       TEXT PRIMARY KEY,
  agent        TEXT NOT NULL,
  job          TEXT NOT NULL,
  data         TEXT NOT NULL,
  collected_at BIGINT NOT NULL
);

CREATE TABLE idempotency (
  id           TEXT PRIMARY KEY,
  customer_id  TEXT NOT NULL,
  request_hash BYTEA NOT NULL,
  done         BIGINT NOT NULL,
  answer       BYTEA NOT NULL,
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL
);
CREATE INDEX idempotency_expires ON idempotency (expires_at);
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON idempotency USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- +goose Down
DROP TABLE idempotency;
DROP TABLE inventories;
DROP TABLE presence;
DROP TABLE agents;
DROP TABLE enrolments;
