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
  address         BLOB NOT NULL,
  title           BLOB NOT NULL,
  raw             BLOB NOT NULL,
  sha256          TEXT NOT NULL,
  size            INTEGER NOT NULL,
  state           TEXT NOT NULL,
  cause           TEXT NOT NULL,
  in_doubt        INTEGER NOT NULL,
  content         TEXT NOT NULL,
  attempts        INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  accepted_at     INTEGER NOT NULL,
  ended_at        INTEGER NOT NULL,
  opened_at       INTEGER NOT NULL,
  acknowledged_at INTEGER NOT NULL,
  called_at       INTEGER NOT NULL,
  call_note       BLOB
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
  n               INTEGER NOT NULL,
  customer_id     TEXT NOT NULL,
  tries           INTEGER NOT NULL,
  started_at      INTEGER NOT NULL,
  ended_at        INTEGER NOT NULL,
  outcome         TEXT NOT NULL,
  cause           TEXT NOT NULL,
  content         TEXT NOT NULL,
  sent            BLOB,
  sha256          TEXT NOT NULL,
  code            INTEGER NOT NULL,
  reply           BLOB,
  queue_id        TEXT NOT NULL,
  server          TEXT NOT NULL,
  tls             TEXT NOT NULL,
  peer            TEXT NOT NULL,
  dsn             INTEGER NOT NULL,
  PRIMARY KEY (mail_id, n)
);

-- What came back about a mail.
CREATE TABLE mail_reports (
  mail_id         TEXT NOT NULL REFERENCES mails (id),
  sha256          TEXT NOT NULL,
  customer_id     TEXT NOT NULL,
  received_at     INTEGER NOT NULL,
  action          TEXT NOT NULL,
  status          TEXT NOT NULL,
  reporter        TEXT NOT NULL,
  diagnostic      BLOB NOT NULL,
  raw             BLOB NOT NULL,
  PRIMARY KEY (mail_id, sha256)
);

-- Since when our own mail server has taken nothing; 0 while it takes mail.
CREATE TABLE mail_servers (
  address         TEXT PRIMARY KEY,
  down_since      INTEGER NOT NULL,
  raised_at       INTEGER NOT NULL
);

-- +goose Down
DROP TABLE mail_servers;
DROP TABLE mail_reports;
DROP TABLE mail_attempts;
DROP TABLE mails;
