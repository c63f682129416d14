-- +goose Up
-- Those who can stand on a list. customer_id is whose they are; '' is everybody but a customer's own.
CREATE TABLE access_persons (
  id             TEXT PRIMARY KEY,
  kind           TEXT NOT NULL,
  staff_id       TEXT NOT NULL,
  customer_id    TEXT NOT NULL,
  name           BYTEA NOT NULL,
  company        BYTEA,
  owner_id       TEXT NOT NULL,
  teleport_users BYTEA,
  logins         BYTEA,
  left_at        BIGINT NOT NULL,
  left_why       BYTEA,
  version        BIGINT NOT NULL,
  created_at     BIGINT NOT NULL,
  updated_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX access_persons_staff ON access_persons (staff_id) WHERE staff_id <> '';
CREATE INDEX access_persons_customer ON access_persons (customer_id);

CREATE TABLE access_papers (
  id          TEXT PRIMARY KEY,
  person_id   TEXT NOT NULL REFERENCES access_persons (id),
  kind        TEXT NOT NULL,
  customer_id TEXT NOT NULL, -- whose brief; '' is ours
  version     TEXT NOT NULL,
  from_at     BIGINT NOT NULL,
  until_at    BIGINT NOT NULL, -- 0 is without an end
  recorded_by TEXT NOT NULL,
  recorded_at BIGINT NOT NULL,
  replaced_at BIGINT NOT NULL, -- 0 is the newest of its kind
  reference   BYTEA,
  told        BIGINT NOT NULL  -- 1: that it ends soon is a finding; 2: that it has ended
);
CREATE INDEX access_papers_person ON access_papers (person_id, kind, customer_id);
CREATE INDEX access_papers_until ON access_papers (until_at) WHERE replaced_at = 0 AND until_at > 0;

CREATE TABLE access_teams (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  version    BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE access_members (
  team_id   TEXT NOT NULL REFERENCES access_teams (id),
  person_id TEXT NOT NULL REFERENCES access_persons (id),
  from_at   BIGINT NOT NULL,
  until_at  BIGINT NOT NULL, -- 0 is open
  PRIMARY KEY (team_id, person_id, from_at)
);
CREATE INDEX access_members_person ON access_members (person_id);

CREATE TABLE access_grants (
  id          TEXT PRIMARY KEY,
  customer_id TEXT NOT NULL,
  person_id   TEXT NOT NULL,
  team_id     TEXT NOT NULL,
  role        TEXT NOT NULL,
  kind        TEXT NOT NULL,
  state       TEXT NOT NULL,
  reason      BYTEA,
  ticket      TEXT NOT NULL,
  ticket_by   BIGINT NOT NULL,
  from_at     BIGINT NOT NULL,
  until_at    BIGINT NOT NULL,
  granted_by  TEXT NOT NULL,
  granted_at  BIGINT NOT NULL,
  needs       TEXT NOT NULL, -- words with commas: second, customer
  answer_by   BIGINT NOT NULL,
  begun_at    BIGINT NOT NULL,
  ended_at    BIGINT NOT NULL,
  ended_by    TEXT NOT NULL,
  ended_why   BYTEA,
  review_by   BIGINT NOT NULL,
  reviewed_by TEXT NOT NULL,
  reviewed_at BIGINT NOT NULL,
  review_note BYTEA,
  owner_id    TEXT NOT NULL,
  next_at     BIGINT NOT NULL, -- when something of it is due; 0 is never
  version     BIGINT NOT NULL
);
CREATE INDEX access_grants_customer ON access_grants (customer_id, granted_at, id);
CREATE INDEX access_grants_person ON access_grants (person_id, state);
CREATE INDEX access_grants_team ON access_grants (team_id, state);
CREATE INDEX access_grants_listed ON access_grants (granted_at, id);
CREATE INDEX access_grants_next ON access_grants (next_at) WHERE next_at > 0;
CREATE INDEX access_grants_until ON access_grants (customer_id, until_at) WHERE state = 'active';

CREATE TABLE access_approvals (
  grant_id    TEXT NOT NULL REFERENCES access_grants (id),
  round       BIGINT NOT NULL, -- the grant's version when it was asked for
  as_kind     TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  by_id       TEXT NOT NULL,
  yes         BIGINT NOT NULL,
  note        BYTEA,
  at          BIGINT NOT NULL,
  PRIMARY KEY (grant_id, round, as_kind)
);

CREATE TABLE access_terms (
  customer_id       TEXT PRIMARY KEY,
  notice_hours      BIGINT NOT NULL,
  second_person     BIGINT NOT NULL,
  customer_approves BIGINT NOT NULL,
  max_days          BIGINT NOT NULL,
  recording_months  BIGINT NOT NULL,
  brief             BYTEA,
  brief_version     TEXT NOT NULL,
  version           BIGINT NOT NULL,
  updated_at        BIGINT NOT NULL
);

-- What stood in a column from when until when (from_at, until_at; 0 is open), as
-- it was known from when until when (known_from, known_until; 0 is still so). A
-- row is one version of a span: an end that is learnt later supersedes it.
--
-- node, lo and hi are a relational interval tree: node is the number between lo
-- and hi, in minutes, with the most zeros at its end, so that whatever holds an
-- instant stands at one of its 28 ancestors. What is known now is found by when
-- it was so (node > 0, or 0 where it is open), what was superseded by when it was
-- known (node < 0).
CREATE TABLE access_spans (
  rev           TEXT PRIMARY KEY, -- the span's id and its version
  id            TEXT NOT NULL,
  customer_id   TEXT NOT NULL,
  col           TEXT NOT NULL,
  source        TEXT NOT NULL,
  person_id     TEXT NOT NULL, -- '' is unknown
  unknown       BYTEA,
  unknown_index TEXT NOT NULL, -- blind, in hexadecimal
  way           TEXT NOT NULL,
  role          TEXT NOT NULL,
  server_id     TEXT NOT NULL,
  ground        TEXT NOT NULL,
  from_at       BIGINT NOT NULL,
  until_at      BIGINT NOT NULL,
  known_from    BIGINT NOT NULL,
  known_until   BIGINT NOT NULL,
  live          BIGINT NOT NULL, -- 1: known now and not over
  begun         BIGINT NOT NULL, -- 0: its beginning lies ahead
  node          BIGINT NOT NULL,
  lo            BIGINT NOT NULL,
  hi            BIGINT NOT NULL
);
CREATE INDEX access_spans_hi ON access_spans (customer_id, node, hi);
CREATE INDEX access_spans_lo ON access_spans (customer_id, node, lo);
CREATE INDEX access_spans_id ON access_spans (id);
CREATE INDEX access_spans_live ON access_spans (customer_id, col, source) WHERE live = 1;
CREATE INDEX access_spans_person ON access_spans (person_id, col, source) WHERE live = 1;
CREATE INDEX access_spans_ground ON access_spans (ground, col) WHERE live = 1;
CREATE INDEX access_spans_server ON access_spans (server_id, col, source) WHERE live = 1;
CREATE INDEX access_spans_until ON access_spans (until_at) WHERE live = 1 AND until_at > 0;
CREATE INDEX access_spans_begin ON access_spans (from_at) WHERE live = 1 AND begun = 0;

-- Every difference that was written, as people read it.
CREATE TABLE access_changes (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  col             TEXT NOT NULL,
  kind            TEXT NOT NULL,
  source          TEXT NOT NULL,
  span_id         TEXT NOT NULL,
  person_id       TEXT NOT NULL,
  unknown         BYTEA,
  way             TEXT NOT NULL,
  role            TEXT NOT NULL,
  server_id       TEXT NOT NULL,
  ground          TEXT NOT NULL,
  at              BIGINT NOT NULL,
  until_at        BIGINT NOT NULL,
  why             BYTEA,
  baseline        BIGINT NOT NULL, -- 1: it was so before we looked; told as the first list
  known_at        BIGINT NOT NULL,
  enforced_at     BIGINT NOT NULL DEFAULT 0,
  notified_at     BIGINT NOT NULL DEFAULT 0,
  acknowledged_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX access_changes_customer ON access_changes (customer_id, col, known_at, id);
CREATE INDEX access_changes_person ON access_changes (person_id, col, known_at, id);
CREATE INDEX access_changes_listed ON access_changes (col, known_at, id);
CREATE INDEX access_changes_span ON access_changes (span_id);

-- The latest session of a person by a way, as far as is known.
CREATE TABLE access_used (
  customer_id TEXT NOT NULL,
  person_id   TEXT NOT NULL,
  way         TEXT NOT NULL,
  server_id   TEXT NOT NULL,
  at          BIGINT NOT NULL,
  PRIMARY KEY (customer_id, person_id, way, server_id)
);

ALTER TABLE access_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_grants FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON access_grants USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

ALTER TABLE access_approvals ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_approvals FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON access_approvals USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

ALTER TABLE access_terms ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_terms FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON access_terms USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

ALTER TABLE access_spans ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_spans FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON access_spans USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

ALTER TABLE access_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON access_changes USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

ALTER TABLE access_used ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_used FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON access_used USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- Our own people stand on customers' lists: their rows have no customer.
ALTER TABLE access_persons ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_persons FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON access_persons USING (current_setting('ostler.customer', true) = '*' OR customer_id = '' OR customer_id = current_setting('ostler.customer', true));

ALTER TABLE access_papers ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_papers FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON access_papers USING (current_setting('ostler.customer', true) = '*' OR customer_id = '' OR customer_id = current_setting('ostler.customer', true));

-- +goose Down
DROP TABLE access_used;
DROP TABLE access_changes;
DROP TABLE access_spans;
DROP TABLE access_terms;
DROP TABLE access_approvals;
DROP TABLE access_grants;
DROP TABLE access_members;
DROP TABLE access_teams;
DROP TABLE access_papers;
DROP TABLE access_persons;
