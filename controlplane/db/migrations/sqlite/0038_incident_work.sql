-- +goose Up
-- What is done in a case. Texts are sealed with the company's key: they belong to
-- the case and to no customer.
CREATE TABLE incident_notes (
  id          TEXT PRIMARY KEY,
  case_id     TEXT NOT NULL,
  at          INTEGER NOT NULL, -- of what it tells
  text        BLOB NOT NULL,
  by_id       TEXT NOT NULL,
  recorded_at INTEGER NOT NULL
);
CREATE INDEX incident_notes_case ON incident_notes (case_id, at, id);

CREATE TABLE incident_tasks (
  id       TEXT PRIMARY KEY,
  case_id  TEXT NOT NULL,
  text     BLOB NOT NULL,
  owner_id TEXT NOT NULL,
  due_at   INTEGER NOT NULL, -- 0: none
  made_at  INTEGER NOT NULL,
  made_by  TEXT NOT NULL,
  done_at  INTEGER NOT NULL, -- 0: open
  done_by  TEXT NOT NULL,
  note     BLOB,
  told_at  INTEGER NOT NULL  -- since when a finding says that it is late
);
CREATE INDEX incident_tasks_case ON incident_tasks (case_id, id);
CREATE INDEX incident_tasks_due ON incident_tasks (due_at) WHERE done_at = 0 AND told_at = 0 AND due_at > 0;

-- An action is entered before it is carried out: ended_at 0 says that what came
-- of it is not known. refs are ids, JSON.
CREATE TABLE incident_actions (
  id       TEXT PRIMARY KEY,
  case_id  TEXT NOT NULL,
  kind     TEXT NOT NULL,
  target   TEXT NOT NULL,
  why      BLOB NOT NULL,
  by_id    TEXT NOT NULL,
  at       INTEGER NOT NULL,
  result   BLOB,
  failed   INTEGER NOT NULL,
  refs     TEXT NOT NULL,
  ended_at INTEGER NOT NULL
);
CREATE INDEX incident_actions_case ON incident_actions (case_id, at, id);

-- Decisions are never changed: a later one follows.
CREATE TABLE incident_decisions (
  id         TEXT PRIMARY KEY,
  case_id    TEXT NOT NULL,
  likelihood TEXT NOT NULL,
  severity   TEXT NOT NULL,
  risk       TEXT NOT NULL,
  authority  INTEGER NOT NULL,
  people     INTEGER NOT NULL,
  exemption  TEXT NOT NULL,
  reasons    BLOB NOT NULL,
  rule       TEXT NOT NULL,
  not_due    INTEGER NOT NULL,
  by_id      TEXT NOT NULL,
  at         INTEGER NOT NULL
);
CREATE INDEX incident_decisions_case ON incident_decisions (case_id, at, id);

-- What of a case is kept from being deleted: since and until when. held is what
-- is held, in words, and failed why it could not be: both sealed.
CREATE TABLE incident_freezes (
  case_id   TEXT PRIMARY KEY,
  since_at  INTEGER NOT NULL,
  until_at  INTEGER NOT NULL,
  by_id     TEXT NOT NULL,
  frozen_at INTEGER NOT NULL,
  customers TEXT NOT NULL, -- who was told in the ledger, joined by ","
  held      BLOB,
  failed    BLOB,
  told_at   INTEGER NOT NULL, -- since when a finding says that it ends soon
  thawed_at INTEGER NOT NULL,
  thawed_by TEXT NOT NULL,
  why       BLOB
);
CREATE INDEX incident_freezes_until ON incident_freezes (until_at) WHERE thawed_at = 0;

-- What somebody said that may be wrong. Its texts are sealed with the key of
-- customer_id ('' is the company's).
CREATE TABLE incident_reports (
  id          TEXT PRIMARY KEY,
  customer_id TEXT NOT NULL,
  source      TEXT NOT NULL,
  server_id   TEXT NOT NULL,
  report_key  TEXT NOT NULL,
  subject     TEXT NOT NULL,
  text        BLOB NOT NULL,
  name        BLOB,
  contact     BLOB,
  by_id       TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  told_at     INTEGER NOT NULL, -- since when a finding says that nobody looked at it
  case_id     TEXT NOT NULL,
  aside       BLOB,
  decided_at  INTEGER NOT NULL,
  decided_by  TEXT NOT NULL
);
CREATE UNIQUE INDEX incident_reports_key ON incident_reports (report_key) WHERE report_key <> '';
CREATE INDEX incident_reports_customer ON incident_reports (customer_id, received_at);
CREATE INDEX incident_reports_waiting ON incident_reports (received_at, id) WHERE decided_at = 0;
CREATE INDEX incident_reports_case ON incident_reports (case_id) WHERE case_id <> '';
CREATE INDEX incident_reports_received ON incident_reports (received_at, id);

-- How many reports came from an address within a time: under a keyed hash, and
-- only for that time.
CREATE TABLE incident_report_marks (
  mark     BLOB PRIMARY KEY,
  n        INTEGER NOT NULL,
  until_at INTEGER NOT NULL
);
CREATE INDEX incident_report_marks_until ON incident_report_marks (until_at);

-- +goose Down
DROP TABLE incident_report_marks;
DROP TABLE incident_reports;
DROP TABLE incident_freezes;
DROP TABLE incident_decisions;
DROP TABLE incident_actions;
DROP TABLE incident_tasks;
DROP TABLE incident_notes;
