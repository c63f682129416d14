-- +goose Up
-- How much a session wants to be looked at, and what came of it. text, answer,
-- asked_why and void are sealed with the key of seal_owner; before is the state that a
-- claim comes back to when it is over; draw_day is the day whose sample looked
-- at the session, '' is none yet.
CREATE TABLE session_reviews (
  session_id    TEXT PRIMARY KEY REFERENCES staff_sessions (id),
  started_at    INTEGER NOT NULL,
  seal_owner    TEXT NOT NULL,
  risk_score    INTEGER NOT NULL,
  risk_why      TEXT NOT NULL, -- text keys, joined by ","
  state         TEXT NOT NULL,
  before        TEXT NOT NULL,
  because       TEXT NOT NULL,
  draw_id       TEXT NOT NULL,
  draw_day      TEXT NOT NULL,
  queued_at     INTEGER NOT NULL,
  due_at        INTEGER NOT NULL,
  by_id         TEXT NOT NULL,
  claimed_until INTEGER NOT NULL,
  verdict       TEXT NOT NULL,
  verdict_at    INTEGER NOT NULL,
  watched       INTEGER NOT NULL, -- parts in a thousand
  text          BLOB,
  asked_by      TEXT NOT NULL,
  asked_why     BLOB,
  answer        BLOB,
  answered_by   TEXT NOT NULL,
  answered_at   INTEGER NOT NULL,
  void          BLOB
);
CREATE INDEX session_reviews_queue ON session_reviews (risk_score, started_at, session_id) WHERE state IN ('waiting', 'claimed', 'asked');
CREATE INDEX session_reviews_due ON session_reviews (due_at) WHERE state IN ('waiting', 'claimed', 'asked');
CREATE INDEX session_reviews_claimed ON session_reviews (claimed_until) WHERE state = 'claimed';
CREATE INDEX session_reviews_judged ON session_reviews (verdict_at, session_id) WHERE state = 'reviewed';

-- From which addresses a person came; first_session is where it was seen first.
-- address_mark is a keyed hash.
CREATE TABLE session_addresses (
  person_id     TEXT NOT NULL,
  address_mark  TEXT NOT NULL,
  first_session TEXT NOT NULL,
  first_at      INTEGER NOT NULL,
  PRIMARY KEY (person_id, address_mark)
);

-- Who looked at a recording, how, and which parts; parts are in milliseconds, JSON.
CREATE TABLE session_viewings (
  id         TEXT PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES staff_sessions (id),
  seal_owner TEXT NOT NULL,
  by_id      TEXT NOT NULL,
  by_kind    TEXT NOT NULL,
  by_name    BLOB,
  way        TEXT NOT NULL,
  purpose    TEXT NOT NULL,
  opened_at  INTEGER NOT NULL,
  last_at    INTEGER NOT NULL,
  watched_ms INTEGER NOT NULL,
  parts      TEXT NOT NULL,
  query      BLOB
);
CREATE INDEX session_viewings_session ON session_viewings (session_id, by_id);
CREATE INDEX session_viewings_by ON session_viewings (by_id, id);
CREATE INDEX session_viewings_last ON session_viewings (last_at);

CREATE TABLE session_notes (
  id         TEXT PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES staff_sessions (id),
  seal_owner TEXT NOT NULL,
  at_ms      INTEGER NOT NULL, -- since the recording's beginning
  text       BLOB NOT NULL,
  by_id      TEXT NOT NULL,
  by_name    BLOB,
  made_at    INTEGER NOT NULL,
  shown      INTEGER NOT NULL
);
CREATE INDEX session_notes_session ON session_notes (session_id, at_ms, id);

-- A day's sample. seed is sealed until its day is over; a day without a
-- commitment had nobody to make one in time.
CREATE TABLE session_draws (
  id           TEXT PRIMARY KEY,
  day          TEXT NOT NULL UNIQUE,
  commitment   TEXT NOT NULL,
  seed         BLOB,
  percent      INTEGER NOT NULL,
  of_n         INTEGER NOT NULL,
  drawn        INTEGER NOT NULL,
  committed_at INTEGER NOT NULL,
  revealed_at  INTEGER NOT NULL
);
CREATE INDEX session_draws_open ON session_draws (day) WHERE revealed_at = 0 AND commitment <> '';

-- +goose Down
DROP TABLE session_draws;
DROP TABLE session_notes;
DROP TABLE session_viewings;
DROP TABLE session_addresses;
DROP TABLE session_reviews;
