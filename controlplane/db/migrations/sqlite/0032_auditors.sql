-- +goose Up
-- An auditor may be let in to several customers, and to a period: sessions that
-- began in it. 0 is open.
ALTER TABLE auditors ADD COLUMN period_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE auditors ADD COLUMN period_to INTEGER NOT NULL DEFAULT 0;

CREATE TABLE auditor_customers (
  auditor_id  TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  PRIMARY KEY (auditor_id, customer_id)
);
CREATE INDEX auditor_customers_customer ON auditor_customers (customer_id, auditor_id);
INSERT INTO auditor_customers (auditor_id, customer_id) SELECT id, customer_id FROM auditors;

-- +goose Down
DROP TABLE auditor_customers;
ALTER TABLE auditors DROP COLUMN period_to;
ALTER TABLE auditors DROP COLUMN period_from;
