-- +goose Up
-- A mail has one recipient and one job. What names a person is sealed; the
-- hash is of the exact bytes, which hold a random boundary: it tells nothing
-- to who has not got them.
CREATE TABLE mails (
  id              TEXT PRIMARY KEY,
  unique_key      TEXT NOT NULL UNIQUE,
  customer_id     TEXT NOT NULL,
  audience        TEXT NOT NULL,
  person          TEXT NOT NULL,
  subject         TEXT NOT NULL,
  template        TEXT NOT NULL,
  language        TEXT NOT NULL,
  path            TEXT NOT NULL,
  message_id      TEXT NOT NULL UNIQUE,
  address         BYTEA NOT NULL,
  title           BYTEA NOT NULL,
  raw             BYTEA NOT NULL,
  sha256          TEXT NOT NULL,
  size            BIGINT NOT NULL,
  state           TEXT NOT NULL,
  cause           TEXT NOT NULL,
  in_doubt        BIGINT NOT NULL,
  content         TEXT NOT NULL,
  attempts        BIGINT NOT NULL,
  created_at      BIGINT NOT NULL,
  accepted_at     BIGINT NOT NULL,
  ended_at        BIGINT NOT NULL,
  opened_at       BIGINT NOT NULL,
  acknowledged_at BIGINT NOT NULL,
  called_at       BIGINT NOT NULL,
  call_note       BYTEA
);
CREATE INDEX mails_created ON mails (created_at, id);
CREATE INDEX mails_customer ON mails (customer_id, created_at, id);
CREATE INDEX mails_subject ON mails (subject, created_at, id);
CREATE INDEX mails_person ON mails (person, created_at, id);
CREATE INDEX mails_state ON mails (state, created_at, id);

-- One try, or several in a row that met the same obstacle. It is stored, still
-- open, before a mail is handed over: one that is open after a crash is in doubt.
CREATE TABLE mail_attempts (
  mail_id         TEXT NOT NULL REFERENCES mails (id),
  n               BIGINT NOT NULL,
  customer_id     TEXT NOT NULL,
  tries           BIGINT NOT NULL,
  started_at      BIGINT NOT NULL,
  ended_at        BIGINT NOT NULL,
  outcome         TEXT NOT NULL,
  cause           TEXT NOT NULL,
  content         TEXT NOT NULL,
  sent            BYTEA,
  sha256          TEXT NOT NULL,
  code            BIGINT NOT NULL,
  reply           BYTEA,
  queue_id        TEXT NOT NULL,
  server          TEXT NOT NULL,
  tls             TEXT NOT NULL,
  peer            TEXT NOT NULL,
  dsn             BIGINT NOT NULL,
  PRIMARY KEY (mail_id, n)
);

-- What came back about a mail.
CREATE TABLE mail_reports (
  mail_id         TEXT NOT NULL REFERENCES mails (id),
  sha256          TEXT NOT NULL,
  customer_id     TEXT NOT NULL,
  received_at     BIGINT NOT NULL,
  action          TEXT NOT NULL,
  status          TEXT NOT NULL,
  reporter        TEXT NOT NULL,
  diagnostic      BYTEA NOT NULL,
  raw             BYTEA NOT NULL,
  PRIMARY KEY (mail_id, sha256)
);

-- Since when our own mail server has taken nothing; 0 while it takes mail.
CREATE TABLE mail_servers (
  address         TEXT PRIMARY KEY,
  down_since      BIGINT NOT NULL,
  raised_at       BIGINT NOT NULL
);

ALTER TABLE mails ENABLE ROW LEVEL SECURITY;
ALTER TABLE mails FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON mails USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

ALTER TABLE mail_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail_attempts FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON mail_attempts USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

ALTER TABLE mail_reports ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail_reports FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON mail_reports USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- +goose Down
DROP TABLE mail_servers;
DROP TABLE mail_reports;
DROP TABLE mail_attempts;
DROP TABLE mails;
