-- +goose Up
-- One log for each generation; a plane restored from an older backup opens the next.
CREATE TABLE ledger_logs (
  generation   BIGINT PRIMARY KEY,
  origin       TEXT NOT NULL,
  size         BIGINT NOT NULL, -- leaves in the tree
  lease_holder TEXT NOT NULL DEFAULT '',
  lease_until  BIGINT NOT NULL DEFAULT 0
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
  at          BIGINT NOT NULL,
  data        BYTEA NOT NULL, -- canonical JSON
  commitments BYTEA NOT NULL, -- canonical JSON
  generation  BIGINT NOT NULL DEFAULT 0,
  leaf_index  BIGINT NOT NULL DEFAULT -1,
  seq         BIGINT NOT NULL DEFAULT -1
);
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
  sealed      BYTEA NOT NULL,
  PRIMARY KEY (entry_id, name)
);

CREATE TABLE ledger_leaves (
  generation  BIGINT NOT NULL,
  leaf_index  BIGINT NOT NULL,
  entry_id    TEXT NOT NULL UNIQUE,
  customer_id TEXT NOT NULL,
  seq         BIGINT NOT NULL,
  leaf        BYTEA NOT NULL, -- canonical JSON, what the tree hashes
  PRIMARY KEY (generation, leaf_index)
);
CREATE UNIQUE INDEX ledger_leaves_chain ON ledger_leaves (generation, customer_id, seq);

-- The tree, by stored-hash index.
CREATE TABLE ledger_hashes (
  generation BIGINT NOT NULL,
  idx        BIGINT NOT NULL,
  hash       BYTEA NOT NULL,
  PRIMARY KEY (generation, idx)
);

-- The head of each customer's chain.
CREATE TABLE ledger_chains (
  generation  BIGINT NOT NULL,
  customer_id TEXT NOT NULL,
  size        BIGINT NOT NULL,
  head        BYTEA NOT NULL,
  PRIMARY KEY (generation, customer_id)
);

-- Signed checkpoints, each stored before anybody sees it.
CREATE TABLE ledger_checkpoints (
  generation BIGINT NOT NULL,
  size       BIGINT NOT NULL,
  note       BYTEA NOT NULL,
  PRIMARY KEY (generation, size)
);

-- A contact sees the rows of their own customer only.
ALTER TABLE ledger_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_entries FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON ledger_entries USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
ALTER TABLE ledger_personal ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_personal FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON ledger_personal USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
ALTER TABLE ledger_leaves ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_leaves FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON ledger_leaves USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
ALTER TABLE ledger_chains ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_chains FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON ledger_chains USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- +goose Down
DROP TABLE ledger_checkpoints;
DROP TABLE ledger_chains;
DROP TABLE ledger_hashes;
DROP TABLE ledger_leaves;
DROP TABLE ledger_personal;
DROP TABLE ledger_entries;
DROP TABLE ledger_logs;
