-- +goose Up
CREATE TABLE data_keys (
  customer_id  TEXT NOT NULL, -- '' is the company itself
  version      INTEGER NOT NULL,
  wrapped      BLOB NOT NULL, -- empty once destroyed
  created_at   INTEGER NOT NULL,
  destroyed_at INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (customer_id, version)
);

-- The key files that this database needs, and a value to know each one by.
CREATE TABLE key_files (
  name        TEXT PRIMARY KEY,
  fingerprint BLOB NOT NULL,
  created_at  INTEGER NOT NULL
);

-- +goose Down
DROP TABLE key_files;
DROP TABLE data_keys;
