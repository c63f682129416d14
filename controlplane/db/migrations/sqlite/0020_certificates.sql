-- +goose Up
-- Certificate authorities, and our account at each. They are the company's.
CREATE TABLE cert_authorities (
  id              TEXT PRIMARY KEY,
  name            TEXT NOT NULL UNIQUE,
  directory       TEXT NOT NULL UNIQUE,
  role            TEXT NOT NULL,
  contact         TEXT NOT NULL,
  profile         TEXT NOT NULL,
  account_url     TEXT NOT NULL,
  thumbprint      TEXT NOT NULL,
  account_key     BLOB NOT NULL,
  next_key        BLOB,
  eab_key_id      TEXT NOT NULL,
  eab_key         BLOB,
  roots_pem       BLOB,
  created_at      INTEGER NOT NULL
);

CREATE TABLE certificates (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  tenancy_id      TEXT NOT NULL,
  server_id       TEXT NOT NULL,
  folder          TEXT NOT NULL,
  names           TEXT NOT NULL,
  key_type        TEXT NOT NULL,
  challenge       TEXT NOT NULL,
  provider_id     TEXT NOT NULL,
  authority_id    TEXT NOT NULL,
  profile         TEXT NOT NULL,
  services        TEXT NOT NULL,
  endpoints       TEXT NOT NULL,
  state           TEXT NOT NULL,
  round           INTEGER NOT NULL,
  issue_id        TEXT NOT NULL,
  issued_round    INTEGER NOT NULL,
  serial          TEXT NOT NULL,
  leaf            TEXT NOT NULL,
  chain           TEXT NOT NULL,
  spki            TEXT NOT NULL,
  issuer          TEXT NOT NULL,
  issued_by       TEXT NOT NULL,
  issued_names    TEXT NOT NULL,
  ari_id          TEXT NOT NULL,
  not_before      INTEGER NOT NULL,
  not_after       INTEGER NOT NULL,
  revoked_at      INTEGER NOT NULL,
  revoke_reason   INTEGER NOT NULL,
  renew_at        INTEGER NOT NULL,
  renew_from      TEXT NOT NULL,
  plan_for        TEXT NOT NULL,
  hurried         INTEGER NOT NULL,
  window_start    INTEGER NOT NULL,
  window_end      INTEGER NOT NULL,
  explanation     TEXT NOT NULL,
  poll_at         INTEGER NOT NULL,
  ari_failures    INTEGER NOT NULL,
  attempts        INTEGER NOT NULL,
  failing_since   INTEGER NOT NULL,
  next_try        INTEGER NOT NULL,
  why             TEXT NOT NULL,
  paused_until    INTEGER NOT NULL,
  pause_reason    BLOB,
  seen            TEXT NOT NULL,
  look_at         INTEGER NOT NULL,
  notice_at       INTEGER NOT NULL,
  noticed         INTEGER NOT NULL,
  due_at          INTEGER NOT NULL,
  open_issue      TEXT NOT NULL,
  found_id        TEXT NOT NULL,
  taken_at        INTEGER NOT NULL,
  version         INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  ended_at        INTEGER NOT NULL
);
CREATE INDEX certificates_list ON certificates (ended_at, not_after, id);
CREATE INDEX certificates_customer ON certificates (customer_id, ended_at, not_after, id);
CREATE INDEX certificates_server ON certificates (server_id, ended_at, not_after, id);
CREATE INDEX certificates_tenancy ON certificates (tenancy_id, ended_at);
CREATE INDEX certificates_serial ON certificates (serial);
CREATE INDEX certificates_due ON certificates (due_at, id) WHERE due_at > 0;
CREATE UNIQUE INDEX certificates_folder ON certificates (server_id, folder);

CREATE TABLE cert_names (
  certificate_id  TEXT NOT NULL REFERENCES certificates (id),
  customer_id     TEXT NOT NULL,
  name            TEXT NOT NULL,
  PRIMARY KEY (certificate_id, name)
);
CREATE INDEX cert_names_name ON cert_names (name, certificate_id);

-- Attempts. One of a certificate is open at a time.
CREATE TABLE cert_issues (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  certificate_id  TEXT NOT NULL REFERENCES certificates (id),
  server_id       TEXT NOT NULL,
  authority_id    TEXT NOT NULL,
  round           INTEGER NOT NULL,
  reason          TEXT NOT NULL,
  state           TEXT NOT NULL,
  dry_run         INTEGER NOT NULL,
  rank            INTEGER NOT NULL,
  job_id          TEXT NOT NULL,
  names           TEXT NOT NULL,
  key_type        TEXT NOT NULL,
  csr             BLOB,
  spki            TEXT NOT NULL,
  order_state     TEXT NOT NULL,
  order_url       TEXT NOT NULL,
  revision        INTEGER NOT NULL,
  requests        INTEGER NOT NULL,
  chain_pem       BLOB,
  serial          TEXT NOT NULL,
  leaf            TEXT NOT NULL,
  chain           TEXT NOT NULL,
  issuer          TEXT NOT NULL,
  not_before      INTEGER NOT NULL,
  not_after       INTEGER NOT NULL,
  why             TEXT NOT NULL,
  steps           TEXT NOT NULL,
  campaign_id     TEXT NOT NULL,
  revoke_old      INTEGER NOT NULL,
  tries           INTEGER NOT NULL,
  endpoints       TEXT NOT NULL,
  started_by      TEXT NOT NULL,
  started_at      INTEGER NOT NULL,
  start_at        INTEGER NOT NULL,
  ended_at        INTEGER NOT NULL,
  next_try        INTEGER NOT NULL
);
CREATE UNIQUE INDEX cert_issues_open ON cert_issues (certificate_id) WHERE ended_at = 0;
CREATE INDEX cert_issues_certificate ON cert_issues (certificate_id, started_at, id);
CREATE INDEX cert_issues_customer ON cert_issues (customer_id, started_at);
CREATE INDEX cert_issues_line ON cert_issues (authority_id, state, job_id, rank, started_at) WHERE ended_at = 0;
CREATE INDEX cert_issues_serial ON cert_issues (serial);

-- Every public key that was ever asked for: whose it is, and whether it may be
-- used. By the hash of its public key info, which tells nobody anything.
CREATE TABLE cert_keys (
  spki            TEXT PRIMARY KEY,
  certificate_id  TEXT NOT NULL,
  round           INTEGER NOT NULL,
  seen_at         INTEGER NOT NULL,
  blocked_at      INTEGER NOT NULL
);

-- Answers to http-01 challenges that a site redirects to the plane. Public.
CREATE TABLE cert_tokens (
  token           TEXT PRIMARY KEY,
  key_auth        TEXT NOT NULL,
  name            TEXT NOT NULL,
  issue_id        TEXT NOT NULL,
  expires_at      INTEGER NOT NULL
);
CREATE INDEX cert_tokens_expires ON cert_tokens (expires_at);

CREATE TABLE cert_providers (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  name            TEXT NOT NULL,
  kind            TEXT NOT NULL,
  zone            TEXT NOT NULL,
  config          BLOB NOT NULL,
  fields          TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  removed_at      INTEGER NOT NULL
);
CREATE INDEX cert_providers_customer ON cert_providers (customer_id, created_at);

-- Certificates on hosts that others renew.
CREATE TABLE cert_found (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  server_id       TEXT NOT NULL,
  path            TEXT NOT NULL,
  data            TEXT NOT NULL,
  seen_at         INTEGER NOT NULL,
  gone_at         INTEGER NOT NULL,
  taken_by        TEXT NOT NULL,
  UNIQUE (server_id, path)
);
CREATE INDEX cert_found_customer ON cert_found (customer_id, server_id);

-- When a server was last asked what it has and serves.
CREATE TABLE cert_servers (
  server_id       TEXT PRIMARY KEY,
  look_at         INTEGER NOT NULL,
  looked_at       INTEGER NOT NULL
);
CREATE INDEX cert_servers_look ON cert_servers (look_at);

CREATE TABLE cert_campaigns (
  id              TEXT PRIMARY KEY,
  reason          BLOB NOT NULL,
  state           TEXT NOT NULL,
  total           INTEGER NOT NULL,
  unknown         TEXT NOT NULL,
  started_by      TEXT NOT NULL,
  started_at      INTEGER NOT NULL,
  ended_at        INTEGER NOT NULL
);
CREATE INDEX cert_campaigns_state ON cert_campaigns (state, started_at);

CREATE TABLE cert_campaign_items (
  campaign_id     TEXT NOT NULL REFERENCES cert_campaigns (id),
  certificate_id  TEXT NOT NULL,
  customer_id     TEXT NOT NULL,
  position        INTEGER NOT NULL,
  state           TEXT NOT NULL,
  issue_id        TEXT NOT NULL,
  PRIMARY KEY (campaign_id, certificate_id)
);
CREATE INDEX cert_campaign_items_state ON cert_campaign_items (campaign_id, state, position);
CREATE INDEX cert_campaign_items_issue ON cert_campaign_items (issue_id);

-- +goose Down
DROP TABLE cert_campaign_items;
DROP TABLE cert_campaigns;
DROP TABLE cert_servers;
DROP TABLE cert_found;
DROP TABLE cert_providers;
DROP TABLE cert_tokens;
DROP TABLE cert_keys;
DROP TABLE cert_issues;
DROP TABLE cert_names;
DROP TABLE certificates;
DROP TABLE cert_authorities;
