-- +goose Up
-- Almost every repository is ready; pages over all plans look for the others.
CREATE INDEX backup_repositories_unready ON backup_repositories (id) WHERE state <> 'ready';

-- +goose Down
DROP INDEX backup_repositories_unready;
