-- +goose Up
-- Incidents. What people wrote in a case is JSON sealed with the company's key;
-- cases carry no customer_id: contacts never read them. next_due is the earliest
-- deadline that runs, wake_at when Watch has something to say of the case.
CREATE TABLE incident_cases (
  id             TEXT PRIMARY KEY,
  year           INTEGER NOT NULL,
  seq            INTEGER NOT NULL,
  state          TEXT NOT NULL,
  drill          INTEGER NOT NULL,
  our_data       INTEGER NOT NULL,
  channel_unsafe INTEGER NOT NULL,
  kinds          TEXT NOT NULL, -- joined by ","
  zone           TEXT NOT NULL,
  detected_at    INTEGER NOT NULL,
  occurred_from  INTEGER NOT NULL,
  contained_at   INTEGER NOT NULL,
  handled_at     INTEGER NOT NULL,
  opened_at      INTEGER NOT NULL,
  opened_by      TEXT NOT NULL,
  lead           TEXT NOT NULL,
  source         TEXT NOT NULL,
  clock_from     INTEGER NOT NULL, -- assertions recorded before it started clocks that are over: reopened on new facts
  frozen_until   INTEGER NOT NULL,
  merged_into    TEXT NOT NULL,
  closed_at      INTEGER NOT NULL,
  next_due       INTEGER NOT NULL,
  late           INTEGER NOT NULL,
  wake_at        INTEGER NOT NULL, -- 0 is never
  version        INTEGER NOT NULL,
  data           BLOB NOT NULL,
  UNIQUE (year, seq)
);
CREATE INDEX incident_cases_opened ON incident_cases (opened_at, id);
CREATE INDEX incident_cases_due ON incident_cases (next_due, id) WHERE state = 'open';
CREATE INDEX incident_cases_wake ON incident_cases (wake_at) WHERE state = 'open' AND wake_at > 0;
CREATE INDEX incident_cases_frozen ON incident_cases (frozen_until) WHERE frozen_until > 0;
CREATE INDEX incident_cases_merged ON incident_cases (merged_into) WHERE merged_into <> '';

-- A case as it was after each change, sealed with the company's key: what was
-- known of it at an instant.
CREATE TABLE incident_versions (
  case_id TEXT NOT NULL REFERENCES incident_cases (id),
  version INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  data    BLOB NOT NULL,
  PRIMARY KEY (case_id, version)
);
CREATE INDEX incident_versions_at ON incident_versions (case_id, at);

CREATE TABLE incident_servers (
  case_id    TEXT NOT NULL REFERENCES incident_cases (id),
  server_id  TEXT NOT NULL,
  added_at   INTEGER NOT NULL,
  added_by   TEXT NOT NULL,
  removed_at INTEGER NOT NULL, -- split off into another case; 0 is not
  PRIMARY KEY (case_id, server_id)
);
CREATE INDEX incident_servers_server ON incident_servers (server_id, case_id);

-- Customers in a case. history is every state with its instant, JSON; because and
-- cleared_why are sealed with the customer's key.
CREATE TABLE incident_affected (
  case_id     TEXT NOT NULL REFERENCES incident_cases (id),
  customer_id TEXT NOT NULL,
  state       TEXT NOT NULL,
  servers     TEXT NOT NULL, -- joined by ","
  added_at    INTEGER NOT NULL,
  because     BLOB,
  cleared_at  INTEGER NOT NULL,
  cleared_why BLOB,
  history     TEXT NOT NULL,
  removed_at  INTEGER NOT NULL, -- split off into another case; 0 is not
  PRIMARY KEY (case_id, customer_id)
);
CREATE INDEX incident_affected_customer ON incident_affected (customer_id, case_id);

-- Somebody's word about awareness: of the case ('') or of one customer. Rows are
-- never changed but for the second person's word. ground is sealed with the key
-- of customer_id.
CREATE TABLE incident_assertions (
  id           TEXT PRIMARY KEY,
  case_id      TEXT NOT NULL REFERENCES incident_cases (id),
  customer_id  TEXT NOT NULL,
  certainty    TEXT NOT NULL,
  at           INTEGER NOT NULL,
  by_id        TEXT NOT NULL,
  ground       BLOB,
  recorded_at  INTEGER NOT NULL,
  supersedes   TEXT NOT NULL,
  confirmed_by TEXT NOT NULL,
  confirmed_at INTEGER NOT NULL,
  brought_at   INTEGER NOT NULL -- when it came here from another case; 0 is never
);
CREATE INDEX incident_assertions_case ON incident_assertions (case_id, customer_id, at);
CREATE INDEX incident_assertions_customer ON incident_assertions (customer_id);

-- What a customer's contract says of breaches, every version: an open case is
-- counted by whichever of those in force during it ends first.
CREATE TABLE incident_terms (
  customer_id    TEXT NOT NULL,
  version        INTEGER NOT NULL,
  amount         INTEGER NOT NULL,
  unit           TEXT NOT NULL,
  from_suspicion INTEGER NOT NULL,
  role           TEXT NOT NULL,
  jurisdiction   TEXT NOT NULL,
  country        TEXT NOT NULL,
  zone           TEXT NOT NULL,
  financial      INTEGER NOT NULL,
  services       TEXT NOT NULL, -- role by server, JSON
  recorded_at    INTEGER NOT NULL,
  by_id          TEXT NOT NULL,
  PRIMARY KEY (customer_id, version)
);

-- Who we are to the law, every version, sealed with the company's key.
CREATE TABLE incident_company (
  version     INTEGER PRIMARY KEY,
  data        BLOB NOT NULL,
  recorded_at INTEGER NOT NULL,
  by_id       TEXT NOT NULL
);

-- Rules of law, whole. from_at is from which trigger on a pack counts; 0 is from
-- the beginning.
CREATE TABLE incident_rules (
  id        TEXT PRIMARY KEY,
  pack      TEXT NOT NULL,
  sha256    TEXT NOT NULL,
  shipped   INTEGER NOT NULL,
  from_at   INTEGER NOT NULL,
  loaded_at INTEGER NOT NULL,
  by_id     TEXT NOT NULL,
  data      TEXT NOT NULL
);
CREATE INDEX incident_rules_from ON incident_rules (from_at, loaded_at);

-- Alarms that were raised: each level of each deadline once.
CREATE TABLE incident_alarms (
  case_id   TEXT NOT NULL REFERENCES incident_cases (id),
  rule      TEXT NOT NULL,
  due_at    INTEGER NOT NULL,
  level     TEXT NOT NULL,
  raised_at INTEGER NOT NULL,
  PRIMARY KEY (case_id, rule, due_at, level)
);

-- +goose Down
DROP TABLE incident_alarms;
DROP TABLE incident_rules;
DROP TABLE incident_company;
DROP TABLE incident_terms;
DROP TABLE incident_assertions;
DROP TABLE incident_affected;
DROP TABLE incident_servers;
DROP TABLE incident_versions;
DROP TABLE incident_cases;
