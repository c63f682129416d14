-- +goose Up
-- What was broken off is gone on with. next_at of an order is when Watch looks at it
-- again, because there was somebody for whom nothing could be written; of an advisory
-- when it drafts for those of whom there is no notice yet, and 0 is that there are none.
ALTER TABLE incident_orders ADD COLUMN next_at BIGINT NOT NULL DEFAULT 0;
DROP INDEX incident_orders_open;
CREATE INDEX incident_orders_open ON incident_orders (made_at, id, next_at) WHERE done_at = 0;
ALTER TABLE incident_advisories ADD COLUMN next_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX incident_advisories_next ON incident_advisories (next_at, id) WHERE next_at > 0;
-- It went without a second person: lists say so without opening what is sealed.
ALTER TABLE incident_notices ADD COLUMN alone BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX incident_notices_advised ON incident_notices (advisory_id, customer_id) WHERE advisory_id <> '';

-- +goose Down
DROP INDEX incident_notices_advised;
ALTER TABLE incident_notices DROP COLUMN alone;
DROP INDEX incident_advisories_next;
ALTER TABLE incident_advisories DROP COLUMN next_at;
DROP INDEX incident_orders_open;
CREATE INDEX incident_orders_open ON incident_orders (made_at, id) WHERE done_at = 0;
ALTER TABLE incident_orders DROP COLUMN next_at;
