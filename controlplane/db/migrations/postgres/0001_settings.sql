-- +goose Up
CREATE TABLE settings (
  name       TEXT PRIMARY KEY,
  value      BYTEA NOT NULL,
  updated_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE settings;
