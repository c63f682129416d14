-- +goose Up
CREATE TABLE staff (
  id           TEXT PRIMARY KEY,
  name_sealed  BYTEA NOT NULL,
  email_sealed BYTEA NOT NULL,
  email_index  BYTEA NOT NULL,
  role         TEXT NOT NULL,
  language     TEXT NOT NULL,
  version      BIGINT NOT NULL,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  disabled_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX staff_email ON staff (email_index) WHERE disabled_at = 0;

CREATE TABLE credentials (
  person_id       TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  password_sealed BYTEA NOT NULL,
  totp_sealed     BYTEA NOT NULL,
  totp_step       BIGINT NOT NULL,
  created_at      BIGINT NOT NULL,
  password_at     BIGINT NOT NULL
);

CREATE TABLE recovery_codes (
  person_id   TEXT NOT NULL,
  code_hash   BYTEA NOT NULL,
  customer_id TEXT NOT NULL,
  used_at     BIGINT NOT NULL,
  PRIMARY KEY (person_id, code_hash)
);

CREATE TABLE sign_in_links (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL,
  secret_hash BYTEA NOT NULL UNIQUE,
  person_id   TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  totp_sealed BYTEA NOT NULL,
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL,
  used_at     BIGINT NOT NULL
);
CREATE INDEX sign_in_links_person ON sign_in_links (person_id, kind);
CREATE INDEX sign_in_links_expiry ON sign_in_links (expires_at);

CREATE TABLE pending_sign_ins (
  secret_hash BYTEA PRIMARY KEY,
  person_id   TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  attempts    BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL
);
CREATE INDEX pending_sign_ins_person ON pending_sign_ins (person_id);
CREATE INDEX pending_sign_ins_expiry ON pending_sign_ins (expires_at);

CREATE TABLE sessions (
  id             TEXT PRIMARY KEY,
  secret_hash    BYTEA NOT NULL UNIQUE,
  person_id      TEXT NOT NULL,
  customer_id    TEXT NOT NULL,
  method         TEXT NOT NULL,
  address_sealed BYTEA NOT NULL,
  agent_sealed   BYTEA NOT NULL,
  created_at     BIGINT NOT NULL,
  seen_at        BIGINT NOT NULL,
  expires_at     BIGINT NOT NULL,
  ended_at       BIGINT NOT NULL
);
CREATE INDEX sessions_person ON sessions (person_id, ended_at);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE tokens (
  id               TEXT PRIMARY KEY,
  secret_hash      BYTEA NOT NULL UNIQUE,
  kind             TEXT NOT NULL,
  person_id        TEXT NOT NULL,
  customer_id      TEXT NOT NULL,
  name_sealed      BYTEA NOT NULL,
  permissions_json TEXT NOT NULL,
  created_at       BIGINT NOT NULL,
  expires_at       BIGINT NOT NULL,
  used_at          BIGINT NOT NULL,
  revoked_at       BIGINT NOT NULL
);
CREATE INDEX tokens_person ON tokens (person_id, revoked_at);

CREATE TABLE sign_in_marks (
  mark     BYTEA PRIMARY KEY,
  n        BIGINT NOT NULL,
  until_at BIGINT NOT NULL
);
CREATE INDEX sign_in_marks_until ON sign_in_marks (until_at);

ALTER TABLE credentials ENABLE ROW LEVEL SECURITY;
ALTER TABLE credentials FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON credentials USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_codes FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON recovery_codes USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
ALTER TABLE sign_in_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_links FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON sign_in_links USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
ALTER TABLE pending_sign_ins ENABLE ROW LEVEL SECURITY;
ALTER TABLE pending_sign_ins FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON pending_sign_ins USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON sessions USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
ALTER TABLE tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON tokens USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- +goose Down
DROP TABLE sign_in_marks;
DROP TABLE tokens;
DROP TABLE sessions;
DROP TABLE pending_sign_ins;
DROP TABLE sign_in_links;
DROP TABLE recovery_codes;
DROP TABLE credentials;
DROP TABLE staff;
