-- +goose Up
CREATE TABLE staff (
  id           TEXT PRIMARY KEY,
  name_sealed  BLOB NOT NULL,
  email_sealed BLOB NOT NULL,
  email_index  BLOB NOT NULL,
  role         TEXT NOT NULL,
  language     TEXT NOT NULL,
  version      INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  disabled_at  INTEGER NOT NULL
);
CREATE UNIQUE INDEX staff_email ON staff (email_index) WHERE disabled_at = 0;

CREATE TABLE credentials (
  person_id       TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  password_sealed BLOB NOT NULL,
  totp_sealed     BLOB NOT NULL,
  totp_step       INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  password_at     INTEGER NOT NULL
);

CREATE TABLE recovery_codes (
  person_id   TEXT NOT NULL,
  code_hash   BLOB NOT NULL,
  customer_id TEXT NOT NULL,
  used_at     INTEGER NOT NULL,
  PRIMARY KEY (person_id, code_hash)
);

CREATE TABLE sign_in_links (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL,
  secret_hash BLOB NOT NULL UNIQUE,
  person_id   TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  totp_sealed BLOB NOT NULL,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  used_at     INTEGER NOT NULL
);
CREATE INDEX sign_in_links_person ON sign_in_links (person_id, kind);
CREATE INDEX sign_in_links_expiry ON sign_in_links (expires_at);

CREATE TABLE pending_sign_ins (
  secret_hash BLOB PRIMARY KEY,
  person_id   TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  attempts    INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL
);
CREATE INDEX pending_sign_ins_person ON pending_sign_ins (person_id);
CREATE INDEX pending_sign_ins_expiry ON pending_sign_ins (expires_at);

CREATE TABLE sessions (
  id             TEXT PRIMARY KEY,
  secret_hash    BLOB NOT NULL UNIQUE,
  person_id      TEXT NOT NULL,
  customer_id    TEXT NOT NULL,
  method         TEXT NOT NULL,
  address_sealed BLOB NOT NULL,
  agent_sealed   BLOB NOT NULL,
  created_at     INTEGER NOT NULL,
  seen_at        INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL,
  ended_at       INTEGER NOT NULL
);
CREATE INDEX sessions_person ON sessions (person_id, ended_at);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE tokens (
  id               TEXT PRIMARY KEY,
  secret_hash      BLOB NOT NULL UNIQUE,
  kind             TEXT NOT NULL,
  person_id        TEXT NOT NULL,
  customer_id      TEXT NOT NULL,
  name_sealed      BLOB NOT NULL,
  permissions_json TEXT NOT NULL,
  created_at       INTEGER NOT NULL,
  expires_at       INTEGER NOT NULL,
  used_at          INTEGER NOT NULL,
  revoked_at       INTEGER NOT NULL
);
CREATE INDEX tokens_person ON tokens (person_id, revoked_at);

CREATE TABLE sign_in_marks (
  mark     BLOB PRIMARY KEY,
  n        INTEGER NOT NULL,
  until_at INTEGER NOT NULL
);
CREATE INDEX sign_in_marks_until ON sign_in_marks (until_at);

-- +goose Down
DROP TABLE sign_in_marks;
DROP TABLE tokens;
DROP TABLE sessions;
DROP TABLE pending_sign_ins;
DROP TABLE sign_in_links;
DROP TABLE recovery_codes;
DROP TABLE credentials;
DROP TABLE staff;
