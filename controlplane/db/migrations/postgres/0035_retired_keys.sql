-- +goose Up
-- A key file that no key of this database needs any more, and that was destroyed.
ALTER TABLE key_files ADD COLUMN retired_at BIGINT NOT NULL DEFAULT 0; -- 0 is in use

-- +goose Down
ALTER TABLE key_files DROP COLUMN retired_at;
