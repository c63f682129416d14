-- +goose Up
-- Name and contact of whoever reported something are deleted a while after it was
-- dealt with. reporter is a keyed hash of both, kept: whoever asks again with the
-- same is known to be them. forgotten_at is when they were deleted; 0 is not yet.
ALTER TABLE incident_reports ADD COLUMN reporter BLOB;
ALTER TABLE incident_reports ADD COLUMN forgotten_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX incident_reports_forget ON incident_reports (decided_at, id) WHERE decided_at > 0 AND forgotten_at = 0;

-- +goose Down
DROP INDEX incident_reports_forget;
ALTER TABLE incident_reports DROP COLUMN forgotten_at;
ALTER TABLE incident_reports DROP COLUMN reporter;
