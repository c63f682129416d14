-- +goose Up
-- In the order in which lists show them; a calendar reads no row at all.
CREATE INDEX backup_snapshots_server ON backup_snapshots (server_id, arrived_at, id);
DROP INDEX backup_snapshots_plan;
CREATE INDEX backup_snapshots_plan ON backup_snapshots (plan_id, arrived_at, id);
DROP INDEX backup_runs_plan;
CREATE INDEX backup_runs_plan ON backup_runs (plan_id, due_at, id, customer_id, state);

-- +goose Down
DROP INDEX backup_runs_plan;
CREATE INDEX backup_runs_plan ON backup_runs (plan_id, due_at);
DROP INDEX backup_snapshots_plan;
CREATE INDEX backup_snapshots_plan ON backup_snapshots (plan_id, arrived_at);
DROP INDEX backup_snapshots_server;
