-- +goose Up
CREATE TABLE auditors (
  id           TEXT PRIMARY KEY,
  customer_id  TEXT NOT NULL,
  name_sealed  BYTEA NOT NULL,
  email_sealed BYTEA NOT NULL,
  email_index  BYTEA NOT NULL,
  until_at     BIGINT NOT NULL,
  created_at   BIGINT NOT NULL,
  ended_at     BIGINT NOT NULL
);
CREATE INDEX auditors_email ON auditors (email_index);
CREATE INDEX auditors_customer ON auditors (customer_id, id);

ALTER TABLE auditors ENABLE ROW LEVEL SECURITY;
ALTER TABLE auditors FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON auditors USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- +goose Down
DROP TABLE auditors;
