-- +goose Up
-- What hosts send up in chunks, whatever it is for: a file, an archive, a list
-- of names. The owner is what it belongs to: a restore, or a part of one.
CREATE TABLE backup_uploads (
  owner_id        TEXT PRIMARY KEY,
  customer_id     TEXT NOT NULL,
  server_id       TEXT NOT NULL,
  job_id          TEXT NOT NULL UNIQUE,
  state           TEXT NOT NULL,
  created_at      BIGINT NOT NULL
);
CREATE TABLE backup_chunks (
  owner_id        TEXT NOT NULL REFERENCES backup_uploads (owner_id),
  customer_id     TEXT NOT NULL,
  idx             BIGINT NOT NULL,
  size            BIGINT NOT NULL,
  sha256          TEXT NOT NULL,
  blob_key        TEXT NOT NULL,
  stored_at       BIGINT NOT NULL,
  PRIMARY KEY (owner_id, idx)
);
INSERT INTO backup_uploads (owner_id, customer_id, server_id, job_id, state, created_at)
  SELECT id, customer_id, server_id, job_id, CASE state WHEN 'active' THEN 'open' ELSE 'closed' END, created_at
  FROM restores WHERE kind = 'download';
INSERT INTO backup_chunks (owner_id, customer_id, idx, size, sha256, blob_key, stored_at)
  SELECT restore_id, customer_id, idx, size, sha256, blob_key, stored_at FROM restore_chunks;
DROP TABLE restore_chunks;
ALTER TABLE backup_uploads ENABLE ROW LEVEL SECURITY;
ALTER TABLE backup_uploads FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON backup_uploads USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
ALTER TABLE backup_chunks ENABLE ROW LEVEL SECURITY;
ALTER TABLE backup_chunks FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON backup_chunks USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- +goose Down
CREATE TABLE restore_chunks (
  restore_id      TEXT NOT NULL REFERENCES restores (id),
  customer_id     TEXT NOT NULL,
  idx             BIGINT NOT NULL,
  size            BIGINT NOT NULL,
  sha256          TEXT NOT NULL,
  blob_key        TEXT NOT NULL,
  stored_at       BIGINT NOT NULL,
  PRIMARY KEY (restore_id, idx)
);
INSERT INTO restore_chunks (restore_id, customer_id, idx, size, sha256, blob_key, stored_at)
  SELECT owner_id, customer_id, idx, size, sha256, blob_key, stored_at FROM backup_chunks
  WHERE owner_id IN (SELECT id FROM restores);
DROP TABLE backup_chunks;
DROP TABLE backup_uploads;
