-- +goose Up
-- What lists said of a grant until known_until, where it was changed then.
CREATE TABLE access_grant_words (
  id          TEXT PRIMARY KEY,
  grant_id    TEXT NOT NULL REFERENCES access_grants (id),
  customer_id TEXT NOT NULL,
  reason      BYTEA,
  ticket      TEXT NOT NULL,
  known_until BIGINT NOT NULL
);
CREATE INDEX access_grant_words_grant ON access_grant_words (grant_id, known_until);

ALTER TABLE access_grant_words ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_grant_words FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON access_grant_words USING (current_setting('ostler.customer', true) = '*' OR customer_id = ANY (string_to_array(current_setting('ostler.customer', true), ',')));

-- +goose Down
DROP TABLE access_grant_words;
