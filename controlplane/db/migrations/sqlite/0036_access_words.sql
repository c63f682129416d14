-- +goose Up
-- What lists said of a grant until known_until, where it was changed then.
CREATE TABLE access_grant_words (
  id          TEXT PRIMARY KEY,
  grant_id    TEXT NOT NULL REFERENCES access_grants (id),
  customer_id TEXT NOT NULL,
  reason      BLOB,
  ticket      TEXT NOT NULL,
  known_until INTEGER NOT NULL
);
CREATE INDEX access_grant_words_grant ON access_grant_words (grant_id, known_until);

-- +goose Down
DROP TABLE access_grant_words;
