-- +goose Up
-- An auditor may be let in to several customers, and to a period: sessions that
-- began in it. 0 is open.
SELECT set_config('ostler.customer', '*', true); -- this migration reads everybody's rows
ALTER TABLE auditors ADD COLUMN period_from BIGINT NOT NULL DEFAULT 0;
ALTER TABLE auditors ADD COLUMN period_to BIGINT NOT NULL DEFAULT 0;

CREATE TABLE auditor_customers (
  auditor_id  TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  PRIMARY KEY (auditor_id, customer_id)
);
CREATE INDEX auditor_customers_customer ON auditor_customers (customer_id, auditor_id);
INSERT INTO auditor_customers (auditor_id, customer_id) SELECT id, customer_id FROM auditors;

ALTER TABLE auditor_customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE auditor_customers FORCE ROW LEVEL SECURITY;
CREATE POLICY customer ON auditor_customers USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));

-- ostler.customer may hold several ids with commas between them: an auditor's.
-- Every policy that compared it with one customer compares it with each.
-- +goose StatementBegin
DO $$
DECLARE p RECORD;
BEGIN
  FOR p IN SELECT tablename, policyname, qual FROM pg_policies WHERE schemaname = current_schema()
      AND position('= current_setting(''ostler.customer''::text, true)' IN qual) > 0 LOOP
    EXECUTE format('ALTER POLICY %I ON %I USING (%s)', p.policyname, p.tablename,
      replace(p.qual, '= current_setting(''ostler.customer''::text, true)', '= ANY (string_to_array(current_setting(''ostler.customer''::text, true), '',''::text))'));
  END LOOP;
END $$;
-- +goose StatementEnd

-- Whoever of several customers lets an auditor in sees them.
DROP POLICY customer ON auditors;
CREATE POLICY customer ON auditors USING (current_setting('ostler.customer', true) = '*' OR EXISTS (SELECT 1 FROM auditor_customers a
  WHERE a.auditor_id = auditors.id AND a.customer_id = ANY (string_to_array(current_setting('ostler.customer', true), ','))))
  WITH CHECK (current_setting('ostler.customer', true) = '*');

-- +goose Down
-- +goose StatementBegin
DO $$
DECLARE p RECORD;
BEGIN
  FOR p IN SELECT tablename, policyname, qual FROM pg_policies WHERE schemaname = current_schema()
      AND position('= ANY (string_to_array(current_setting(''ostler.customer''::text, true), '',''::text))' IN qual) > 0 LOOP
    EXECUTE format('ALTER POLICY %I ON %I USING (%s)', p.policyname, p.tablename,
      replace(p.qual, '= ANY (string_to_array(current_setting(''ostler.customer''::text, true), '',''::text))', '= current_setting(''ostler.customer''::text, true)'));
  END LOOP;
END $$;
-- +goose StatementEnd
DROP POLICY customer ON auditors;
CREATE POLICY customer ON auditors USING (current_setting('ostler.customer', true) = '*' OR customer_id = current_setting('ostler.customer', true));
DROP TABLE auditor_customers;
ALTER TABLE auditors DROP COLUMN period_to;
ALTER TABLE auditors DROP COLUMN period_from;
