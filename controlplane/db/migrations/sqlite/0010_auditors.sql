-- +goose Up
CREATE TABLE auditors (
  id           TEXT PRIMARY KEY,
  customer_id  TEXT NOT NULL,
  name_sealed  BLOB NOT NULL,
  email_sealed BLOB NOT NULL,
  email_index  BLOB NOT NULL,
  until_at     INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  ended_at     INTEGER NOT NULL
);
CREATE INDEX auditors_email ON auditors (email_index);
CREATE INDEX auditors_customer ON auditors (customer_id, id);

-- +goose Down
DROP TABLE auditors;
