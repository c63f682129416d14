-- +goose Up
CREATE TABLE customers (
  id         TEXT PRIMARY KEY,
  slug       TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  parent_id  TEXT NOT NULL,
  country    TEXT NOT NULL,
  zone       TEXT NOT NULL,
  version    INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX customers_parent ON customers (parent_id);

CREATE TABLE servers (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  location   TEXT NOT NULL,
  country    TEXT NOT NULL,
  state      TEXT NOT NULL,
  version    INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);

CREATE TABLE tenancies (
  id             TEXT PRIMARY KEY,
  server_id      TEXT NOT NULL REFERENCES servers (id),
  customer_id    TEXT NOT NULL REFERENCES customers (id),
  dedicated      INTEGER NOT NULL,
  paths_json     TEXT NOT NULL,
  sites_json     TEXT NOT NULL,
  databases_json TEXT NOT NULL,
  version        INTEGER NOT NULL,
  created_at     INTEGER NOT NULL,
  updated_at     INTEGER NOT NULL,
  ended_at       INTEGER NOT NULL
);
CREATE INDEX tenancies_server ON tenancies (server_id, ended_at, customer_id);
CREATE INDEX tenancies_customer ON tenancies (customer_id, ended_at, server_id);

CREATE TABLE contacts (
  id           TEXT PRIMARY KEY,
  customer_id  TEXT NOT NULL REFERENCES customers (id),
  name_sealed  BLOB NOT NULL,
  email_sealed BLOB NOT NULL,
  email_index  BLOB NOT NULL,
  role         TEXT NOT NULL,
  language     TEXT NOT NULL,
  version      INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  removed_at   INTEGER NOT NULL
);
CREATE UNIQUE INDEX contacts_email ON contacts (customer_id, email_index) WHERE removed_at = 0;
CREATE INDEX contacts_sign_in ON contacts (email_index) WHERE removed_at = 0;

-- +goose Down
DROP TABLE contacts;
DROP TABLE tenancies;
DROP TABLE servers;
DROP TABLE customers;
