-- +goose Up
-- What executors look for is among the jobs that are not over: a job that ends
-- leaves these indexes, and what waits for its time is passed over within them.
DROP INDEX jobs_server_queue;
DROP INDEX jobs_queue;
DROP INDEX jobs_due;
DROP INDEX jobs_resource;
CREATE INDEX jobs_server_open ON jobs (server, state, seq, not_before) WHERE state IN ('queued', 'offered', 'accepted', 'running');
CREATE INDEX jobs_resource_open ON jobs (server, resource, state, seq) WHERE state IN ('queued', 'offered', 'accepted', 'running');
CREATE INDEX jobs_plane_queue ON jobs (seq, not_before) WHERE executor = 'plane' AND state = 'queued';
CREATE INDEX jobs_agents_due ON jobs (not_before, server) WHERE executor = 'agent' AND state = 'queued';

-- +goose Down
DROP INDEX jobs_server_open;
DROP INDEX jobs_resource_open;
DROP INDEX jobs_plane_queue;
DROP INDEX jobs_agents_due;
CREATE INDEX jobs_server_queue ON jobs (server, state, executor, seq);
CREATE INDEX jobs_resource ON jobs (server, resource, state, seq);
CREATE INDEX jobs_queue ON jobs (executor, state, seq);
CREATE INDEX jobs_due ON jobs (executor, state, not_before);
