-- +goose Up
-- How the rate limits of a CA stand, by what they are counted for; as
-- certs/limits has it. An instant of fullness, what is reserved, failures in a
-- row, and what the CA itself said. A row that is idle again is deleted.
CREATE TABLE cert_limits (
  authority_id    TEXT NOT NULL,
  limit_name      TEXT NOT NULL,
  scope           TEXT NOT NULL,
  full_at         INTEGER NOT NULL,
  held            INTEGER NOT NULL,
  in_a_row        INTEGER NOT NULL,
  blocked_until   INTEGER NOT NULL,
  said            TEXT NOT NULL,
  PRIMARY KEY (authority_id, limit_name, scope)
);
CREATE INDEX cert_limits_full ON cert_limits (authority_id, full_at);
CREATE INDEX cert_limits_blocked ON cert_limits (authority_id, blocked_until) WHERE blocked_until > 0;

-- Exceptions that a CA has granted us, or limits of another CA. A max of 0
-- lifts the limit.
CREATE TABLE cert_limit_rules (
  authority_id    TEXT NOT NULL,
  limit_name      TEXT NOT NULL,
  max             INTEGER NOT NULL,
  per_ms          INTEGER NOT NULL,
  PRIMARY KEY (authority_id, limit_name)
);

-- What attempts have reserved and the CA has not counted yet.
CREATE TABLE cert_reservations (
  issue_id        TEXT NOT NULL,
  authority_id    TEXT NOT NULL,
  limit_name      TEXT NOT NULL,
  scope           TEXT NOT NULL,
  PRIMARY KEY (issue_id, limit_name, scope)
);

-- +goose Down
DROP TABLE cert_reservations;
DROP TABLE cert_limit_rules;
DROP TABLE cert_limits;
