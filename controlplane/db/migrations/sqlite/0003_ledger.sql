-- +goose Up
-- One log for each generation; a plane restored from an older backup opens the next.
CREATE TABLE ledger_logs (
  generation   INTEGER PRIMARY KEY,
  origin       TEXT NOT NULL,
  size         INTEGER NOT NULL, -- leaves in the tree
  lease_holder TEXT NOT NULL DEFAULT '',
  lease_until  INTEGER NOT NULL DEFAULT 0
);

-- What happened. Rows are inserted; the sequencer alone sets the last three columns, once.
CREATE TABLE ledger_entries (
  id          TEXT PRIMARY KEY,
  customer_id TEXT NOT NULL, -- '' is the company itself
  server_id   TEXT NOT NULL,
  subject     TEXT NOT NULL,
  kind        TEXT NOT NULL,
  actor_kind  TEXT NOT NULL,
  actor_id    TEXT NOT NULL,
  at          INTEGER NOT NULL,
  data        BLOB NOT NULL, -- canonical JSON
  commitments BLOB NOT NULL, -- canonical JSON
  generation  INTEGER NOT NULL DEFAULT 0,
  leaf_index  INTEGER NOT NULL DEFAULT -1,
  seq         INTEGER NOT NULL DEFAULT -1
) WITHOUT ROWID;
CREATE INDEX ledger_entries_at ON ledger_entries (at, id);
CREATE INDEX ledger_entries_customer ON ledger_entries (customer_id, at, id);
CREATE INDEX ledger_entries_server ON ledger_entries (server_id, at, id) WHERE server_id <> '';
CREATE INDEX ledger_entries_subject ON ledger_entries (subject, at, id) WHERE subject <> '';
CREATE INDEX ledger_entries_pending ON ledger_entries (at, id) WHERE leaf_index = -1;

-- Personal values and their salts, sealed together and deleted together.
CREATE TABLE ledger_personal (
  entry_id    TEXT NOT NULL,
  name        TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  sealed      BLOB NOT NULL,
  PRIMARY KEY (entry_id, name)
) WITHOUT ROWID;

CREATE TABLE ledger_leaves (
  generation  INTEGER NOT NULL,
  leaf_index  INTEGER NOT NULL,
  entry_id    TEXT NOT NULL UNIQUE,
  customer_id TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  leaf        BLOB NOT NULL, -- canonical JSON, what the tree hashes
  PRIMARY KEY (generation, leaf_index)
) WITHOUT ROWID;
CREATE UNIQUE INDEX ledger_leaves_chain ON ledger_leaves (generation, customer_id, seq);

-- The tree, by stored-hash index.
CREATE TABLE ledger_hashes (
  generation INTEGER NOT NULL,
  idx        INTEGER NOT NULL,
  hash       BLOB NOT NULL,
  PRIMARY KEY (generation, idx)
) WITHOUT ROWID;

-- The head of each customer's chain.
CREATE TABLE ledger_chains (
  generation  INTEGER NOT NULL,
  customer_id TEXT NOT NULL,
  size        INTEGER NOT NULL,
  head        BLOB NOT NULL,
  PRIMARY KEY (generation, customer_id)
) WITHOUT ROWID;

-- Signed checkpoints, each stored before anybody sees it.
CREATE TABLE ledger_checkpoints (
  generation INTEGER NOT NULL,
  size       INTEGER NOT NULL,
  note       BLOB NOT NULL,
  PRIMARY KEY (generation, size)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE ledger_checkpoints;
DROP TABLE ledger_chains;
DROP TABLE ledger_hashes;
DROP TABLE ledger_leaves;
DROP TABLE ledger_personal;
DROP TABLE ledger_entries;
DROP TABLE ledger_logs;
