-- +goose Up
-- What people are told of incidents. A notice holds the data of one customer ('' is
-- the company's own): data (title, fields, words, reasons) and body (the text as it
-- is sent) are sealed with the key of customer_id. next_at is when Watch looks at
-- it: sends it without a second person, writes to the next contact; 0 is never.
-- news: it reached somebody, or did not after all, and the case does not know yet.
CREATE TABLE incident_notices (
  id          TEXT PRIMARY KEY,
  case_id     TEXT NOT NULL, -- '' with an advisory
  advisory_id TEXT NOT NULL,
  order_id    TEXT NOT NULL, -- made by an order; '' by a person
  customer_id TEXT NOT NULL,
  audience    TEXT NOT NULL,
  purpose     TEXT NOT NULL,
  phase       INTEGER NOT NULL,
  regime      TEXT NOT NULL,
  lang        TEXT NOT NULL,
  state       TEXT NOT NULL,
  drill       INTEGER NOT NULL,
  unsafe      INTEGER NOT NULL, -- its mails carry no content: a person tells them
  author      TEXT NOT NULL,
  made_at     INTEGER NOT NULL,
  asked_at    INTEGER NOT NULL,
  second      TEXT NOT NULL,
  sent_at     INTEGER NOT NULL,
  due_at      INTEGER NOT NULL,
  told_at     INTEGER NOT NULL,
  opened_at   INTEGER NOT NULL,
  ack_at      INTEGER NOT NULL,
  ack_by      TEXT NOT NULL,
  next_at     INTEGER NOT NULL,
  news        INTEGER NOT NULL,
  sha256      TEXT NOT NULL,
  version     INTEGER NOT NULL,
  data        BLOB,
  body        BLOB
);
CREATE INDEX incident_notices_case ON incident_notices (case_id, customer_id, id);
CREATE INDEX incident_notices_customer ON incident_notices (customer_id, id);
CREATE INDEX incident_notices_advisory ON incident_notices (advisory_id, id) WHERE advisory_id <> '';
CREATE INDEX incident_notices_next ON incident_notices (next_at, id) WHERE next_at > 0;
CREATE INDEX incident_notices_news ON incident_notices (id) WHERE news = 1;
CREATE UNIQUE INDEX incident_notices_order ON incident_notices (order_id, customer_id) WHERE order_id <> '';

-- How somebody was tried to be reached with a notice. data (name, note) is sealed
-- with the key of customer_id.
CREATE TABLE incident_tries (
  notice_id   TEXT NOT NULL REFERENCES incident_notices (id),
  seq         INTEGER NOT NULL,
  customer_id TEXT NOT NULL,
  contact_id  TEXT NOT NULL,
  how         TEXT NOT NULL,
  mail_id     TEXT NOT NULL,
  state       TEXT NOT NULL,
  cause       TEXT NOT NULL,
  content     TEXT NOT NULL, -- what of the mail was taken: full, or a notice without content
  at          INTEGER NOT NULL,
  by_id       TEXT NOT NULL,
  data        BLOB,
  PRIMARY KEY (notice_id, seq)
);
CREATE UNIQUE INDEX incident_tries_mail ON incident_tries (mail_id) WHERE mail_id <> '';
CREATE INDEX incident_tries_customer ON incident_tries (customer_id, at);

-- That customers of a case are to be told something: made with the change that it
-- follows from, carried out by Watch. customer_id '' is everybody whom it concerns.
CREATE TABLE incident_orders (
  id          TEXT PRIMARY KEY,
  case_id     TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  purpose     TEXT NOT NULL,
  by_id       TEXT NOT NULL,
  made_at     INTEGER NOT NULL,
  done_at     INTEGER NOT NULL,
  data        BLOB -- why, sealed with the company's key
);
CREATE INDEX incident_orders_open ON incident_orders (made_at, id) WHERE done_at = 0;

-- What is told that is no breach. data (title, text, software, customers, ground,
-- silent servers) is sealed with the company's key.
CREATE TABLE incident_advisories (
  id      TEXT PRIMARY KEY,
  purpose TEXT NOT NULL,
  by_id   TEXT NOT NULL,
  made_at INTEGER NOT NULL,
  sent_at INTEGER NOT NULL,
  drill   INTEGER NOT NULL,
  data    BLOB NOT NULL
);

-- Whom an advisory concerns, and why we think so. ground is sealed with the key of
-- customer_id.
CREATE TABLE incident_advisory_for (
  advisory_id TEXT NOT NULL REFERENCES incident_advisories (id),
  customer_id TEXT NOT NULL,
  server_id   TEXT NOT NULL, -- '' is none in particular
  package     TEXT NOT NULL,
  version     TEXT NOT NULL,
  seen_at     INTEGER NOT NULL,
  ground      BLOB,
  PRIMARY KEY (advisory_id, customer_id, server_id, package, version)
);

-- What a claim asks of a queued job of the plane, without looking the job up: a
-- notice to everybody queues thousands of mails in a few resources.
DROP INDEX jobs_plane_queue;
CREATE INDEX jobs_plane_queue ON jobs (seq, not_before, kind, server, resource, expires_at) WHERE executor = 'plane' AND state = 'queued';

-- +goose Down
DROP INDEX jobs_plane_queue;
CREATE INDEX jobs_plane_queue ON jobs (seq, not_before) WHERE executor = 'plane' AND state = 'queued';
DROP TABLE incident_advisory_for;
DROP TABLE incident_advisories;
DROP TABLE incident_orders;
DROP TABLE incident_tries;
DROP TABLE incident_notices;
