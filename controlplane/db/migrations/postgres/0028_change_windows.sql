-- +goose Up
-- A time in which somebody changes a server on purpose. It has no customer: a
-- server is the company's, whoever lives on it. It lasts until closed_at, and
-- until ends_at where that is 0.
CREATE TABLE change_windows (
  id        TEXT PRIMARY KEY,
  server    TEXT NOT NULL,
  ticket    TEXT NOT NULL,
  who       BYTEA NOT NULL,
  what      BYTEA NOT NULL,
  opened_at BIGINT NOT NULL,
  opened_by TEXT NOT NULL,
  ends_at   BIGINT NOT NULL,
  closed_at BIGINT NOT NULL,
  closed_by TEXT NOT NULL
);
CREATE INDEX change_windows_server ON change_windows (server, opened_at, id);
CREATE INDEX change_windows_open ON change_windows (closed_at, ends_at);

-- +goose Down
DROP TABLE change_windows;
