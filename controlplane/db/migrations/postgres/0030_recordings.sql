-- +goose Up
-- What is held of sessions' recordings. It belongs to a session, which knows its
-- customers; seal_owner is with whose key it is sealed.
CREATE TABLE session_recordings (
  session_id   TEXT PRIMARY KEY REFERENCES staff_sessions (id),
  seal_owner   TEXT NOT NULL,
  raw_blob     TEXT NOT NULL, -- names in session_blobs
  cast_blob    TEXT NOT NULL,
  text_blob    TEXT NOT NULL,
  sha256       TEXT NOT NULL,
  cast_sha256  TEXT NOT NULL,
  text_sha256  TEXT NOT NULL,
  bytes        BIGINT NOT NULL,
  cast_bytes   BIGINT NOT NULL,
  duration_ms  BIGINT NOT NULL,
  width        BIGINT NOT NULL,
  height       BIGINT NOT NULL,
  partial      TEXT NOT NULL,   -- why it is not whole; '' is whole
  stored_at    BIGINT NOT NULL,
  kept_until   BIGINT NOT NULL,
  look_at      BIGINT NOT NULL, -- when it may be let go of is looked at then
  check_at     BIGINT NOT NULL, -- it is read back then
  checked_at   BIGINT NOT NULL, -- 0: never
  integrity    TEXT NOT NULL,
  deleted_at   BIGINT NOT NULL, -- 0: it is there
  deleted_why  BYTEA
);
CREATE INDEX session_recordings_look ON session_recordings (look_at) WHERE deleted_at = 0;
CREATE INDEX session_recordings_check ON session_recordings (check_at) WHERE deleted_at = 0;

-- Blobs of recordings. One that nothing names yet, or any more, has delete_at.
CREATE TABLE session_blobs (
  name        TEXT PRIMARY KEY,
  session_id  TEXT NOT NULL REFERENCES staff_sessions (id),
  seal_owner  TEXT NOT NULL,
  kind        TEXT NOT NULL,   -- raw, cast, text
  size        BIGINT NOT NULL, -- of what is in it
  blocks      BYTEA,           -- where its blocks begin
  created_at  BIGINT NOT NULL,
  delete_at   BIGINT NOT NULL  -- 0: a recording names it
);
CREATE INDEX session_blobs_delete ON session_blobs (delete_at) WHERE delete_at > 0;
CREATE INDEX session_blobs_session ON session_blobs (session_id);

-- What was run in a session, sealed and packed, and what else happened in it.
CREATE TABLE session_commands (
  session_id  TEXT PRIMARY KEY REFERENCES staff_sessions (id),
  seal_owner  TEXT NOT NULL,
  started_at  BIGINT NOT NULL, -- of the session
  commands    BYTEA,
  others      BYTEA
);
CREATE INDEX session_commands_started ON session_commands (started_at, session_id);

-- What keeps recordings beyond their term: one session's, or a customer's of a time.
CREATE TABLE session_holds (
  id          TEXT PRIMARY KEY,
  session_id  TEXT NOT NULL,
  customer_id TEXT NOT NULL, -- '' is one session's
  seal_owner  TEXT NOT NULL,
  from_at     BIGINT NOT NULL,
  to_at       BIGINT NOT NULL, -- 0 is open
  reason      BYTEA,
  by_id       TEXT NOT NULL,
  made_at     BIGINT NOT NULL,
  ends_at     BIGINT NOT NULL,
  asked_by    TEXT NOT NULL,
  asked_at    BIGINT NOT NULL,
  released_by TEXT NOT NULL,
  released_at BIGINT NOT NULL,
  release_why BYTEA,
  alone       BIGINT NOT NULL, -- 1: one person released it
  reviewed_by TEXT NOT NULL,
  reviewed_at BIGINT NOT NULL
);
CREATE INDEX session_holds_open ON session_holds (ends_at) WHERE released_at = 0;
CREATE INDEX session_holds_customer ON session_holds (customer_id, made_at);

-- What was agreed with a customer about recordings.
CREATE TABLE session_terms (
  customer_id TEXT PRIMARY KEY,
  watch       BIGINT NOT NULL,
  commands    BIGINT NOT NULL,
  percent     BIGINT NOT NULL,
  version     BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL
);

ALTER TABLE session_holds ENABLE ROW LEVEL SECURITY;
ALTER TABLE session_holds FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON session_holds USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
ALTER TABLE session_terms ENABLE ROW LEVEL SECURITY;
ALTER TABLE session_terms FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON session_terms USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- +goose Down
DROP TABLE session_terms;
DROP TABLE session_holds;
DROP TABLE session_commands;
DROP TABLE session_blobs;
DROP TABLE session_recordings;
