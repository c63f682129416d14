-- +goose Up
CREATE TABLE data_keys (
  customer_id  TEXT NOT NULL, -- '' is the company itself
  version      BIGINT NOT NULL,
  wrapped      BYTEA NOT NULL, -- empty once destroyed
  created_at   BIGINT NOT NULL,
  destroyed_at BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (customer_id, version)
);

ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE data_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON data_keys USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- The key files that this database needs, and a value to know each one by.
CREATE TABLE key_files (
  name        TEXT PRIMARY KEY,
  fingerprint BYTEA NOT NULL,
  created_at  BIGINT NOT NULL
);

-- +goose Down
DROP TABLE key_files;
DROP TABLE data_keys;
