-- +goose Up
-- Sessions of our people on customers' servers. mark tells them apart: the
-- cluster's id or, where it gave none, that of the event. data is sealed with the
-- key of the customer whose server it is alone, else the company's.
CREATE TABLE staff_sessions (
  id           TEXT PRIMARY KEY,
  cluster      TEXT NOT NULL,
  mark         TEXT NOT NULL,
  sid          TEXT NOT NULL,
  kind         TEXT NOT NULL,
  state        TEXT NOT NULL,
  server_id    TEXT NOT NULL, -- '' is none of ours
  host         TEXT NOT NULL,
  seal_owner   TEXT NOT NULL,
  person_id    TEXT NOT NULL, -- '' is nobody known, or several
  data         BLOB NOT NULL,
  started_at   INTEGER NOT NULL,
  ended_at     INTEGER NOT NULL,
  endless      INTEGER NOT NULL,
  due_at       INTEGER NOT NULL,
  commands     INTEGER NOT NULL,
  lacks        TEXT NOT NULL,
  first_seen   INTEGER NOT NULL,
  version      INTEGER NOT NULL,
  UNIQUE (cluster, mark)
);
CREATE INDEX staff_sessions_started ON staff_sessions (started_at, id);
CREATE INDEX staff_sessions_server ON staff_sessions (server_id, started_at);
CREATE INDEX staff_sessions_open ON staff_sessions (state, due_at, started_at) WHERE state IN ('live', 'ended', 'uploaded');
CREATE INDEX staff_sessions_lacks ON staff_sessions (started_at) WHERE lacks <> '';

-- On whose servers it was, and on what each customer's list it stood; reason is
-- sealed with that customer's key.
CREATE TABLE staff_session_customers (
  session_id       TEXT NOT NULL REFERENCES staff_sessions (id),
  customer_id      TEXT NOT NULL,
  started_at       INTEGER NOT NULL,
  grant_id         TEXT NOT NULL,
  grant_kind       TEXT NOT NULL,
  role             TEXT NOT NULL,
  ticket           TEXT NOT NULL,
  authorisation_id TEXT NOT NULL,
  reason           BLOB,
  lacks            TEXT NOT NULL,
  PRIMARY KEY (session_id, customer_id)
);
CREATE INDEX staff_session_customers_started ON staff_session_customers (customer_id, started_at, session_id);

-- Whose names took part: one row for each person who uses the name, one with
-- person_id '' where nobody does. user_mark is the keyed hash of the name.
CREATE TABLE staff_session_people (
  session_id TEXT NOT NULL REFERENCES staff_sessions (id),
  user_mark  TEXT NOT NULL,
  person_id  TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  PRIMARY KEY (session_id, user_mark, person_id)
);
CREATE INDEX staff_session_people_person ON staff_session_people (person_id, started_at, session_id);
CREATE INDEX staff_session_people_user ON staff_session_people (user_mark, started_at);

-- Events as they came, in batches: each is compressed and sealed with the company's key.
CREATE TABLE session_batches (
  id         TEXT PRIMARY KEY,
  cluster    TEXT NOT NULL,
  events     INTEGER NOT NULL,
  sha256     TEXT NOT NULL, -- of all events, one JSON line each
  data       BLOB NOT NULL,
  read_at    INTEGER NOT NULL
);

CREATE TABLE session_events (
  cluster   TEXT NOT NULL,
  event_id  TEXT NOT NULL,
  mark      TEXT NOT NULL, -- of the session, '' is none
  type      TEXT NOT NULL,
  at        INTEGER NOT NULL,
  batch_id  TEXT NOT NULL REFERENCES session_batches (id),
  pos       INTEGER NOT NULL,
  len       INTEGER NOT NULL,
  PRIMARY KEY (cluster, event_id)
) WITHOUT ROWID;
CREATE INDEX session_events_mark ON session_events (mark, at) WHERE mark <> '';

-- One row: how the reading goes.
CREATE TABLE session_feed (
  id            INTEGER PRIMARY KEY,
  cluster       TEXT NOT NULL,
  began_at      INTEGER NOT NULL, -- the first instant that was ever read
  watermark     INTEGER NOT NULL, -- the newest event, never later than now
  read_to       INTEGER NOT NULL, -- until when everything was read
  read_at       INTEGER NOT NULL,
  deep_at       INTEGER NOT NULL, -- the latest deep read that came to its end
  deep_asked    INTEGER NOT NULL,
  next_at       INTEGER NOT NULL,
  events        INTEGER NOT NULL,
  trouble       TEXT NOT NULL,
  trouble_since INTEGER NOT NULL
);

CREATE TABLE session_quarantine (
  id          TEXT PRIMARY KEY,
  cluster     TEXT NOT NULL,
  event_id    TEXT NOT NULL, -- or what stands for one
  type        TEXT NOT NULL,
  at          INTEGER NOT NULL,
  seen_at     INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  bytes       INTEGER NOT NULL,
  raw         BLOB,
  resolved_at INTEGER NOT NULL,
  resolved_by TEXT NOT NULL,
  why         BLOB,
  UNIQUE (cluster, event_id)
);
CREATE INDEX session_quarantine_open ON session_quarantine (resolved_at, at);

-- Servers whose own records are read: from cursor_at on, the next time at next_at.
CREATE TABLE session_login_hosts (
  server_id  TEXT PRIMARY KEY,
  next_at    INTEGER NOT NULL,
  cursor_at  INTEGER NOT NULL,
  clean_at   INTEGER NOT NULL, -- until when they were read whole
  trouble    TEXT NOT NULL,
  trouble_since INTEGER NOT NULL
);
CREATE INDEX session_login_hosts_next ON session_login_hosts (next_at);

-- Times in which a server's records were read whole.
CREATE TABLE session_login_reads (
  server_id TEXT NOT NULL,
  from_at   INTEGER NOT NULL,
  to_at     INTEGER NOT NULL,
  PRIMARY KEY (server_id, from_at)
);

-- Logins that hosts saw. mark is the keyed hash of what tells one from another.
CREATE TABLE session_logins (
  id           TEXT PRIMARY KEY,
  server_id    TEXT NOT NULL,
  mark         TEXT NOT NULL,
  account_mark TEXT NOT NULL,
  seal_owner   TEXT NOT NULL,
  kind         TEXT NOT NULL,
  state        TEXT NOT NULL,
  teleport     INTEGER NOT NULL,
  at           INTEGER NOT NULL,
  seen_at      INTEGER NOT NULL,
  session_id   TEXT NOT NULL,
  data         BLOB NOT NULL,
  explained_by TEXT NOT NULL,
  explained_at INTEGER NOT NULL,
  UNIQUE (server_id, mark)
);
CREATE INDEX session_logins_at ON session_logins (at, id);
CREATE INDEX session_logins_server ON session_logins (server_id, at);
CREATE INDEX session_logins_awaited ON session_logins (at) WHERE state = 'awaited';
CREATE INDEX session_logins_outside ON session_logins (server_id, account_mark) WHERE state = 'outside';

CREATE TABLE session_login_customers (
  login_id    TEXT NOT NULL REFERENCES session_logins (id),
  customer_id TEXT NOT NULL,
  at          INTEGER NOT NULL,
  PRIMARY KEY (login_id, customer_id)
);
CREATE INDEX session_login_customers_at ON session_login_customers (customer_id, at, login_id);

-- +goose Down
DROP TABLE session_login_customers;
DROP TABLE session_logins;
DROP TABLE session_login_reads;
DROP TABLE session_login_hosts;
DROP TABLE session_quarantine;
DROP TABLE session_feed;
DROP TABLE session_events;
DROP TABLE session_batches;
DROP TABLE staff_session_people;
DROP TABLE staff_session_customers;
DROP TABLE staff_sessions;
