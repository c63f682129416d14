-- +goose Up
-- Pages over all servers read those only about which something is open. A plan
-- knows when its first copy arrived: 0 while nothing can be restored from it.
ALTER TABLE backup_plans ADD COLUMN copied_at BIGINT NOT NULL DEFAULT 0;
SELECT set_config('ostler.customer', '*', true); -- this migration changes everybody's rows
UPDATE backup_plans SET copied_at = COALESCE((SELECT MIN(s.arrived_at) FROM backup_snapshots s WHERE s.plan_id = backup_plans.id), 0);
CREATE INDEX backup_plans_uncopied ON backup_plans (id) WHERE copied_at = 0;
CREATE INDEX presence_well ON presence (server) WHERE connected = 1 AND frozen_at = 0;
CREATE INDEX servers_looked_after ON servers (id, state) WHERE state <> 'retired';
CREATE INDEX tenancies_living ON tenancies (id) WHERE ended_at = 0;

-- +goose Down
DROP INDEX tenancies_living;
DROP INDEX servers_looked_after;
DROP INDEX presence_well;
DROP INDEX backup_plans_uncopied;
ALTER TABLE backup_plans DROP COLUMN copied_at;
