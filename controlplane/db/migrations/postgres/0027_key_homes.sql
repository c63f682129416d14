-- +goose Up
-- Where a data key is wrapped: in the file keyring, or in Vault.
ALTER TABLE data_keys ADD COLUMN home TEXT NOT NULL DEFAULT 'file';

-- One row: where new keys are wrapped, and who moves the others there.
CREATE TABLE key_home (
  id          TEXT PRIMARY KEY,
  home        TEXT NOT NULL,
  epoch       BIGINT NOT NULL DEFAULT 0, -- of the hold: who has an older one has lost it
  holder      TEXT NOT NULL DEFAULT '', -- '' while nobody moves keys
  lease_until BIGINT NOT NULL DEFAULT 0,
  started_at  BIGINT NOT NULL DEFAULT 0,
  changed_at  BIGINT NOT NULL DEFAULT 0
);

-- What is to be destroyed in Vault, from the change that decided it until it is done.
CREATE TABLE key_removals (
  id          TEXT PRIMARY KEY,
  customer_id TEXT NOT NULL, -- '' is the company itself
  kind        TEXT NOT NULL, -- customer, credential
  name        TEXT NOT NULL,
  due_at      BIGINT NOT NULL,
  done_at     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX key_removals_open ON key_removals (due_at, id) WHERE done_at = 0;

ALTER TABLE key_removals ENABLE ROW LEVEL SECURITY;
ALTER TABLE key_removals FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON key_removals USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- +goose Down
DROP TABLE key_removals;
DROP TABLE key_home;
ALTER TABLE data_keys DROP COLUMN home;
