-- +goose Up
-- Who can reach customers' servers: what the cluster and the hosts say.

-- A time in which a source ("teleport", or a server) was looked at without a gap.
CREATE TABLE access_attestations (
  id              TEXT PRIMARY KEY,
  source          TEXT NOT NULL,
  from_at         BIGINT NOT NULL,
  to_at           BIGINT NOT NULL
);
CREATE INDEX access_attestations_source ON access_attestations (source, from_at);

-- The one cluster: how it is dealt with, and how it stood when last looked at.
CREATE TABLE access_cluster (
  id              BIGINT PRIMARY KEY,
  mode            TEXT NOT NULL,
  mode_since      BIGINT NOT NULL,
  mode_by         TEXT NOT NULL,
  looked_at       BIGINT NOT NULL,
  trouble         TEXT NOT NULL,
  trouble_since   BIGINT NOT NULL,
  identity_until  BIGINT NOT NULL,
  locks_refused   BIGINT NOT NULL,
  wants_hash      TEXT NOT NULL,
  seen            BYTEA
);

-- The cluster's roles that are ours, by person and role.
CREATE TABLE access_cluster_roles (
  name            TEXT PRIMARY KEY,
  person_id       TEXT NOT NULL,
  role            TEXT NOT NULL,
  made_at         BIGINT NOT NULL,
  UNIQUE (person_id, role)
);

-- Roles of others that somebody answers for.
CREATE TABLE access_cluster_accepted (
  name            TEXT PRIMARY KEY,
  owner_id        TEXT NOT NULL,
  until           BIGINT NOT NULL,
  reason          BYTEA NOT NULL,
  accepted_by     TEXT NOT NULL,
  accepted_at     BIGINT NOT NULL
);

-- Sessions that a removal has to end.
CREATE TABLE access_kicks (
  id              TEXT PRIMARY KEY,
  person_id       TEXT NOT NULL,
  state           TEXT NOT NULL,
  locks           BIGINT NOT NULL,
  asked_at        BIGINT NOT NULL,
  ended_at        BIGINT NOT NULL,
  waits           BIGINT NOT NULL
);
CREATE INDEX access_kicks_person ON access_kicks (person_id, ended_at);

-- Changes of what is listed that no look has confirmed yet.
CREATE INDEX access_changes_unconfirmed ON access_changes (person_id, known_at) WHERE enforced_at = 0 AND col = 'listed' AND way = 'teleport';

-- Certificates that may still be out after a removal.
CREATE TABLE access_certificates (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  person_id       TEXT NOT NULL,
  role            TEXT NOT NULL,
  server_id       TEXT NOT NULL,
  from_at         BIGINT NOT NULL,
  until           BIGINT NOT NULL
);
CREATE INDEX access_certificates_until ON access_certificates (until);
CREATE INDEX access_certificates_person ON access_certificates (person_id, customer_id);

-- Ways in that scans found on hosts. mark is the keyed hash of what it is.
CREATE TABLE access_found (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  server_id       TEXT NOT NULL,
  kind            TEXT NOT NULL,
  mark            BYTEA NOT NULL,
  print           BYTEA,
  data            BYTEA NOT NULL,
  person_id       TEXT NOT NULL,
  confirmed       TEXT NOT NULL,
  confirmed_by    TEXT NOT NULL,
  confirmed_at    BIGINT NOT NULL,
  baseline        BIGINT NOT NULL,
  owner_id        TEXT NOT NULL,
  review_by       BIGINT NOT NULL,
  first_scan      BIGINT NOT NULL,
  first_at        BIGINT NOT NULL,
  since_at        BIGINT NOT NULL,
  seen_at         BIGINT NOT NULL,
  gone_at         BIGINT NOT NULL,
  used_at         BIGINT NOT NULL
);
CREATE INDEX access_found_server ON access_found (server_id, gone_at);
CREATE INDEX access_found_customer ON access_found (customer_id, id);
CREATE INDEX access_found_person ON access_found (person_id, id);
CREATE INDEX access_found_print ON access_found (print);
CREATE INDEX access_found_review ON access_found (review_by);

-- How hosts were last looked at.
CREATE TABLE access_hosts (
  server_id       TEXT PRIMARY KEY,
  next_at         BIGINT NOT NULL,
  asked_at        BIGINT NOT NULL,
  scanned_at      BIGINT NOT NULL,
  clean_at        BIGINT NOT NULL
);
CREATE INDEX access_hosts_next ON access_hosts (next_at);

ALTER TABLE access_certificates ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_certificates FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON access_certificates USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

ALTER TABLE access_found ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_found FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON access_found USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- +goose Down
DROP TABLE access_hosts;
DROP TABLE access_found;
DROP INDEX access_changes_unconfirmed;
DROP TABLE access_certificates;
DROP TABLE access_kicks;
DROP TABLE access_cluster_accepted;
DROP TABLE access_cluster_roles;
DROP TABLE access_cluster;
DROP TABLE access_attestations;
