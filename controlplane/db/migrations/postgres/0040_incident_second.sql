-- +goose Up
-- What would be due first were it certain; the cases that are open are counted anew.
ALTER TABLE incident_cases ADD COLUMN shadow_due BIGINT NOT NULL DEFAULT 0;
UPDATE incident_cases SET wake_at = 1 WHERE state = 'open';

-- What takes a clock away that runs, and counts once another person confirms it: an
-- end as a false alarm ('' is the case's), or that a customer is not in it. why is
-- sealed with the key of customer_id.
CREATE TABLE incident_asked (
  id          TEXT PRIMARY KEY,
  case_id     TEXT NOT NULL REFERENCES incident_cases (id),
  customer_id TEXT NOT NULL,
  act         TEXT NOT NULL,
  by_id       TEXT NOT NULL,
  at          BIGINT NOT NULL,
  why         BYTEA,
  state       TEXT NOT NULL,
  settled_by  TEXT NOT NULL,
  settled_at  BIGINT NOT NULL,
  alone       BIGINT NOT NULL -- nobody else could look at it
);
CREATE INDEX incident_asked_case ON incident_asked (case_id, at, id);
CREATE INDEX incident_asked_customer ON incident_asked (customer_id);

ALTER TABLE incident_asked ENABLE ROW LEVEL SECURITY;
ALTER TABLE incident_asked FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON incident_asked USING (current_setting('ostler.customer', true) = '*' OR customer_id = ANY (string_to_array(current_setting('ostler.customer', true), ',')));

-- +goose Down
DROP TABLE incident_asked;
ALTER TABLE incident_cases DROP COLUMN shadow_due;
