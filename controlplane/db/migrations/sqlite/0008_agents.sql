-- +goose Up
CREATE TABLE enrolments (
  id          TEXT PRIMARY KEY,
  secret_hash BLOB NOT NULL UNIQUE,
  server      TEXT NOT NULL,
  cidr        TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  used_at     INTEGER NOT NULL,
  agent       TEXT NOT NULL
);
CREATE INDEX enrolments_server ON enrolments (server, created_at);

CREATE TABLE agents (
  id          TEXT PRIMARY KEY,
  server      TEXT NOT NULL,
  enrolment   TEXT NOT NULL,
  state       TEXT NOT NULL,
  key_hash    BLOB NOT NULL,
  next_hash   BLOB NOT NULL,
  certificate BLOB NOT NULL,
  not_after   INTEGER NOT NULL,
  hostname    TEXT NOT NULL,
  machine_id  TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  ended_at    INTEGER NOT NULL
);
CREATE UNIQUE INDEX agents_active ON agents (server) WHERE state = 'active';
CREATE INDEX agents_server ON agents (server, created_at);

CREATE TABLE presence (
  server          TEXT PRIMARY KEY,
  agent           TEXT NOT NULL,
  epoch           INTEGER NOT NULL,
  connected       INTEGER NOT NULL,
  replica         TEXT NOT NULL,
  instance        TEXT NOT NULL,
  superseded      TEXT NOT NULL,
  boot_id         TEXT NOT NULL,
  machine_id      TEXT NOT NULL,
  version         TEXT NOT NULL,
  actions         TEXT NOT NULL,
  seal_key        BLOB NOT NULL,
  connected_at    INTEGER NOT NULL,
  disconnected_at INTEGER NOT NULL,
  heard_at        INTEGER NOT NULL,
  skew_ms         INTEGER NOT NULL,
  disk_free       INTEGER NOT NULL,
  disk_size       INTEGER NOT NULL,
  silent_at       INTEGER NOT NULL,
  skewed_at       INTEGER NOT NULL,
  frozen_at       INTEGER NOT NULL
);
CREATE INDEX presence_heard ON presence (silent_at, heard_at);

CREATE TABLE inventories (
  server       TEXT PRIMARY KEY,
  agent        TEXT NOT NULL,
  job          TEXT NOT NULL,
  data         TEXT NOT NULL,
  collected_at INTEGER NOT NULL
);

CREATE TABLE idempotency (
  id           TEXT PRIMARY KEY,
  customer_id  TEXT NOT NULL,
  request_hash BLOB NOT NULL,
  done         INTEGER NOT NULL,
  answer       BLOB NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL
);
CREATE INDEX idempotency_expires ON idempotency (expires_at);

-- +goose Down
DROP TABLE idempotency;
DROP TABLE inventories;
DROP TABLE presence;
DROP TABLE agents;
DROP TABLE enrolments;
