-- +goose Up
-- Restores of many files: as an archive, or on a server with a preview and an undo.
ALTER TABLE restores ADD COLUMN target_server_id TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN placement TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN conflict TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN special INTEGER NOT NULL DEFAULT 0;
ALTER TABLE restores ADD COLUMN format TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN items INTEGER NOT NULL DEFAULT 1;
ALTER TABLE restores ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
ALTER TABLE restores ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE restores ADD COLUMN missing_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE restores ADD COLUMN source_job_id TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN round INTEGER NOT NULL DEFAULT 0;
ALTER TABLE restores ADD COLUMN touched INTEGER NOT NULL DEFAULT 0;
ALTER TABLE restores ADD COLUMN undo_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE restores ADD COLUMN undo_failure TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN undone_from TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN took_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE restores ADD COLUMN preview TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN result TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN undo TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN assist_id TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN mail_me INTEGER NOT NULL DEFAULT 0;
ALTER TABLE restores ADD COLUMN cancel_asked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE restores ADD COLUMN confirmed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE restores ADD COLUMN confirmed_at INTEGER NOT NULL DEFAULT 0;
UPDATE restores SET target_server_id = server_id WHERE kind = 'put_back';
CREATE INDEX restores_target ON restores (target_server_id, state);
CREATE INDEX restores_source_job ON restores (source_job_id);

-- What was chosen, and what of it could not be read; sealed.
CREATE TABLE restore_contents (
  restore_id      TEXT PRIMARY KEY REFERENCES restores (id),
  customer_id     TEXT NOT NULL,
  selection       BLOB NOT NULL,
  missing         BLOB
);

-- What a person has chosen and not asked for yet.
CREATE TABLE restore_basket (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  person_id       TEXT NOT NULL,
  snapshot_id     TEXT NOT NULL,
  path_hash       TEXT NOT NULL,
  path            BLOB NOT NULL,
  node_type       TEXT NOT NULL,
  files           INTEGER NOT NULL,
  bytes           INTEGER NOT NULL,
  measured        INTEGER NOT NULL,
  added_at        INTEGER NOT NULL,
  UNIQUE (person_id, customer_id, snapshot_id, path_hash)
);

-- Staff who help one customer restore, and why.
CREATE TABLE restore_assists (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  staff_id        TEXT NOT NULL,
  reason          BLOB NOT NULL,
  ticket          TEXT NOT NULL,
  started_at      INTEGER NOT NULL,
  ends_at         INTEGER NOT NULL,
  ended_at        INTEGER NOT NULL
);
CREATE INDEX restore_assists_staff ON restore_assists (staff_id, ended_at);
CREATE INDEX restore_assists_customer ON restore_assists (customer_id, started_at, id);

-- What customers have asked us to restore.
CREATE TABLE restore_asks (
  id              TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  contact_id      TEXT NOT NULL,
  state           TEXT NOT NULL,
  what            BLOB NOT NULL,
  answer          BLOB,
  mail_me         INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  taken_by        TEXT NOT NULL,
  taken_at        INTEGER NOT NULL,
  done_by         TEXT NOT NULL,
  done_at         INTEGER NOT NULL
);
CREATE INDEX restore_asks_customer ON restore_asks (customer_id, created_at, id);
CREATE INDEX restore_asks_state ON restore_asks (state, created_at, id);

-- +goose Down
DROP TABLE restore_asks;
DROP TABLE restore_assists;
DROP TABLE restore_basket;
DROP TABLE restore_contents;
DROP INDEX restores_source_job;
DROP INDEX restores_target;
ALTER TABLE restores DROP COLUMN confirmed_at;
ALTER TABLE restores DROP COLUMN confirmed_by;
ALTER TABLE restores DROP COLUMN cancel_asked;
ALTER TABLE restores DROP COLUMN mail_me;
ALTER TABLE restores DROP COLUMN assist_id;
ALTER TABLE restores DROP COLUMN undo;
ALTER TABLE restores DROP COLUMN result;
ALTER TABLE restores DROP COLUMN preview;
ALTER TABLE restores DROP COLUMN took_ms;
ALTER TABLE restores DROP COLUMN undone_from;
ALTER TABLE restores DROP COLUMN undo_failure;
ALTER TABLE restores DROP COLUMN undo_until;
ALTER TABLE restores DROP COLUMN touched;
ALTER TABLE restores DROP COLUMN round;
ALTER TABLE restores DROP COLUMN source_job_id;
ALTER TABLE restores DROP COLUMN missing_count;
ALTER TABLE restores DROP COLUMN bytes;
ALTER TABLE restores DROP COLUMN files;
ALTER TABLE restores DROP COLUMN items;
ALTER TABLE restores DROP COLUMN label;
ALTER TABLE restores DROP COLUMN format;
ALTER TABLE restores DROP COLUMN special;
ALTER TABLE restores DROP COLUMN conflict;
ALTER TABLE restores DROP COLUMN placement;
ALTER TABLE restores DROP COLUMN target_server_id;
