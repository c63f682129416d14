-- +goose Up
-- What was appended and has no place yet. Every change of everything waits for
-- its row here, so the table has one index; the sequencer moves each row to
-- ledger_entries, with its place, and pays for the others. Nothing may be NULL:
-- ledger_entries says so, and a statement that is told twice takes longer.
CREATE TABLE ledger_pending (
  id          TEXT PRIMARY KEY,
  customer_id TEXT, -- '' is the company itself
  server_id   TEXT,
  subject     TEXT,
  kind        TEXT,
  actor_kind  TEXT,
  actor_id    TEXT,
  at          INTEGER,
  data        BLOB, -- canonical JSON
  commitments BLOB -- canonical JSON
) WITHOUT ROWID;

INSERT INTO ledger_pending (id, customer_id, server_id, subject, kind, actor_kind, actor_id, at, data, commitments)
  SELECT id, customer_id, server_id, subject, kind, actor_kind, actor_id, at, data, commitments FROM ledger_entries WHERE leaf_index = -1;
DELETE FROM ledger_entries WHERE leaf_index = -1;
DROP INDEX ledger_entries_pending;

-- +goose Down
INSERT INTO ledger_entries (id, customer_id, server_id, subject, kind, actor_kind, actor_id, at, data, commitments)
  SELECT id, customer_id, server_id, subject, kind, actor_kind, actor_id, at, data, commitments FROM ledger_pending;
CREATE INDEX ledger_entries_pending ON ledger_entries (at, id) WHERE leaf_index = -1;
DROP TABLE ledger_pending;
