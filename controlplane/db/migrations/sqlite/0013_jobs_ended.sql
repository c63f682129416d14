-- +goose Up
CREATE INDEX jobs_ended ON jobs (kind, finished_at) WHERE finished_at > 0;

-- +goose Down
DROP INDEX jobs_ended;
