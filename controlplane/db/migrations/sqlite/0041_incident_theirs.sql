-- +goose Up
-- What a customer told us that they did for their own authority (DORA), append only:
-- the latest word about a step counts. at 0 takes it back. told_by, who of theirs said
-- so, is sealed with the customer's key.
CREATE TABLE incident_theirs (
  id          TEXT PRIMARY KEY,
  case_id     TEXT NOT NULL REFERENCES incident_cases (id),
  customer_id TEXT NOT NULL,
  step        TEXT NOT NULL,
  at          INTEGER NOT NULL,
  told_by     BLOB,
  by_id       TEXT NOT NULL,
  recorded_at INTEGER NOT NULL
);
CREATE INDEX incident_theirs_case ON incident_theirs (case_id, recorded_at, id);
CREATE INDEX incident_theirs_customer ON incident_theirs (customer_id);

-- +goose Down
DROP TABLE incident_theirs;
