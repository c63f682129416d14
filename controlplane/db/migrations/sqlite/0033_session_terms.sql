-- +goose Up
-- What of a recording was too much to be kept as a list: moments of other kinds
-- beyond a bound, and commands beyond a far greater one.
ALTER TABLE session_recordings ADD COLUMN moments_left INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session_recordings ADD COLUMN commands_left INTEGER NOT NULL DEFAULT 0;

-- Events have a term. A batch is of sessions of the same customers (joined by ",",
-- '' is nobody's), sealed with the key of seal_owner. Once it is let go of, its
-- row and SHA-256 stay. held_until: a hold keeps it, and it is looked at then.
ALTER TABLE session_batches ADD COLUMN seal_owner TEXT NOT NULL DEFAULT '';
ALTER TABLE session_batches ADD COLUMN customers TEXT NOT NULL DEFAULT '';
ALTER TABLE session_batches ADD COLUMN last_at INTEGER NOT NULL DEFAULT 0; -- of its newest event
ALTER TABLE session_batches ADD COLUMN held_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session_batches ADD COLUMN deleted_at INTEGER NOT NULL DEFAULT 0; -- 0: it is there
UPDATE session_batches SET last_at = read_at;
CREATE INDEX session_batches_term ON session_batches (customers, last_at) WHERE deleted_at = 0;
CREATE INDEX session_events_batch ON session_events (batch_id);
CREATE INDEX session_quarantine_raw ON session_quarantine (seen_at) WHERE raw IS NOT NULL;

-- weak: a record told of the login that any account of the host can write.
ALTER TABLE session_logins ADD COLUMN weak INTEGER NOT NULL DEFAULT 0;
CREATE INDEX session_logins_session ON session_logins (session_id) WHERE session_id <> '';
-- unread_from: since when a stretch was not read that is asked for again; 0 is none.
ALTER TABLE session_login_hosts ADD COLUMN unread_from INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE session_login_hosts DROP COLUMN unread_from;
DROP INDEX session_logins_session;
ALTER TABLE session_logins DROP COLUMN weak;
DROP INDEX session_quarantine_raw;
DROP INDEX session_events_batch;
DROP INDEX session_batches_term;
ALTER TABLE session_batches DROP COLUMN deleted_at;
ALTER TABLE session_batches DROP COLUMN held_until;
ALTER TABLE session_batches DROP COLUMN last_at;
ALTER TABLE session_batches DROP COLUMN customers;
ALTER TABLE session_batches DROP COLUMN seal_owner;
ALTER TABLE session_recordings DROP COLUMN commands_left;
ALTER TABLE session_recordings DROP COLUMN moments_left;
