-- +goose Up
CREATE TABLE customers (
  id         TEXT PRIMARY KEY,
  slug       TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  parent_id  TEXT NOT NULL,
  country    TEXT NOT NULL,
  zone       TEXT NOT NULL,
  version    BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX customers_parent ON customers (parent_id);

CREATE TABLE servers (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  location   TEXT NOT NULL,
  country    TEXT NOT NULL,
  state      TEXT NOT NULL,
  version    BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE tenancies (
  id             TEXT PRIMARY KEY,
  server_id      TEXT NOT NULL REFERENCES servers (id),
  customer_id    TEXT NOT NULL REFERENCES customers (id),
  dedicated      BIGINT NOT NULL,
  paths_json     TEXT NOT NULL,
  sites_json     TEXT NOT NULL,
  databases_json TEXT NOT NULL,
  version        BIGINT NOT NULL,
  created_at     BIGINT NOT NULL,
  updated_at     BIGINT NOT NULL,
  ended_at       BIGINT NOT NULL
);
CREATE INDEX tenancies_server ON tenancies (server_id, ended_at, customer_id);
CREATE INDEX tenancies_customer ON tenancies (customer_id, ended_at, server_id);

CREATE TABLE contacts (
  id           TEXT PRIMARY KEY,
  customer_id  TEXT NOT NULL REFERENCES customers (id),
  name_sealed  BYTEA NOT NULL,
  email_sealed BYTEA NOT NULL,
  email_index  BYTEA NOT NULL,
  role         TEXT NOT NULL,
  language     TEXT NOT NULL,
  version      BIGINT NOT NULL,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  removed_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX contacts_email ON contacts (customer_id, email_index) WHERE removed_at = 0;
CREATE INDEX contacts_sign_in ON contacts (email_index) WHERE removed_at = 0;

ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE customers FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON customers USING (current_setting('ostler.customer', true) = '*' OR id = current_setting('ostler.customer', true));
ALTER TABLE tenancies ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancies FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON tenancies USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
ALTER TABLE contacts ENABLE ROW LEVEL SECURITY;
ALTER TABLE contacts FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON contacts USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
-- A customer sees the servers that they live on.
ALTER TABLE servers ENABLE ROW LEVEL SECURITY;
ALTER TABLE servers FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON servers USING (current_setting('ostler.customer', true) = '*' OR EXISTS (
  SELECT 1 FROM tenancies t WHERE t.server_id = servers.id AND t.ended_at = 0 AND t.customer_id = current_setting('ostler.customer', true)));

-- +goose Down
DROP TABLE contacts;
DROP TABLE tenancies;
DROP TABLE servers;
DROP TABLE customers;
