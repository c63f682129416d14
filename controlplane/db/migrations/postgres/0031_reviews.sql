-- +goose Up
-- How much a session wants to be looked at, and what came of it. text, answer,
-- asked_why and void are sealed with the key of seal_owner; before is the state that a
-- claim comes back to when it is over; draw_day is the day whose sample looked
-- at the session, '' is none yet.
CREATE TABLE session_reviews (
  session_id    TEXT PRIMARY KEY REFERENCES staff_sessions (id),
  started_at    BIGINT NOT NULL,
  seal_owner    TEXT NOT NULL,
  risk_score    BIGINT NOT NULL,
  risk_why      TEXT NOT NULL, -- text keys, joined by ","
  state         TEXT NOT NULL,
  before        TEXT NOT NULL,
  because       TEXT NOT NULL,
  draw_id       TEXT NOT NULL,
  draw_day      TEXT NOT NULL,
  queued_at     BIGINT NOT NULL,
  due_at        BIGINT NOT NULL,
  by_id         TEXT NOT NULL,
  claimed_until BIGINT NOT NULL,
  verdict       TEXT NOT NULL,
  verdict_at    BIGINT NOT NULL,
  watched       BIGINT NOT NULL, -- parts in a thousand
  text          BYTEA,
  asked_by      TEXT NOT NULL,
  asked_why     BYTEA,
  answer        BYTEA,
  answered_by   TEXT NOT NULL,
  answered_at   BIGINT NOT NULL,
  void          BYTEA
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
  first_at      BIGINT NOT NULL,
  PRIMARY KEY (person_id, address_mark)
);

-- Who looked at a recording, how, and which parts; parts are in milliseconds, JSON.
CREATE TABLE session_viewings (
  id         TEXT PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES staff_sessions (id),
  seal_owner TEXT NOT NULL,
  by_id      TEXT NOT NULL,
  by_kind    TEXT NOT NULL,
  by_name    BYTEA,
  way        TEXT NOT NULL,
  purpose    TEXT NOT NULL,
  opened_at  BIGINT NOT NULL,
  last_at    BIGINT NOT NULL,
  watched_ms BIGINT NOT NULL,
  parts      TEXT NOT NULL,
  query      BYTEA
);
CREATE INDEX session_viewings_session ON session_viewings (session_id, by_id);
CREATE INDEX session_viewings_by ON session_viewings (by_id, id);
CREATE INDEX session_viewings_last ON session_viewings (last_at);

CREATE TABLE session_notes (
  id         TEXT PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES staff_sessions (id),
  seal_owner TEXT NOT NULL,
  at_ms      BIGINT NOT NULL, -- since the recording's beginning
  text       BYTEA NOT NULL,
  by_id      TEXT NOT NULL,
  by_name    BYTEA,
  made_at    BIGINT NOT NULL,
  shown      BIGINT NOT NULL
);
CREATE INDEX session_notes_session ON session_notes (session_id, at_ms, id);

-- A day's sample. seed is sealed until its day is over; a day without a
-- commitment had nobody to make one in time.
CREATE TABLE session_draws (
  id           TEXT PRIMARY KEY,
  day          TEXT NOT NULL UNIQUE,
  commitment   TEXT NOT NULL,
  seed         BYTEA,
  percent      BIGINT NOT NULL,
  of_n         BIGINT NOT NULL,
  drawn        BIGINT NOT NULL,
  committed_at BIGINT NOT NULL,
  revealed_at  BIGINT NOT NULL
);
CREATE INDEX session_draws_open ON session_draws (day) WHERE revealed_at = 0 AND commitment <> '';

-- +goose Down
DROP TABLE session_draws;
DROP TABLE session_notes;
DROP TABLE session_viewings;
DROP TABLE session_addresses;
DROP TABLE session_reviews;
