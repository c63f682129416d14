-- +goose Up
-- Whoever claims a session is not whoever asked or judged. question is what a
-- reviewer asked, sealed, once another verdict followed it. closed_why is why
-- nobody can review it: deleted, changed, gone, missing, unrecorded. percents are
-- the shares of customers with terms of their own as they were committed to, JSON.
ALTER TABLE session_reviews ADD COLUMN claimed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE session_reviews ADD COLUMN question BYTEA;
ALTER TABLE session_reviews ADD COLUMN question_by TEXT NOT NULL DEFAULT '';
ALTER TABLE session_reviews ADD COLUMN question_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session_reviews ADD COLUMN closed_why TEXT NOT NULL DEFAULT '';
ALTER TABLE session_reviews ADD COLUMN closed_at BIGINT NOT NULL DEFAULT 0;
UPDATE session_reviews SET claimed_by = by_id, by_id = '' WHERE state = 'claimed';
CREATE INDEX session_reviews_closed ON session_reviews (session_id) WHERE state = 'unreviewable';
CREATE INDEX session_reviews_draw ON session_reviews (draw_day) WHERE draw_day <> '';
ALTER TABLE session_draws ADD COLUMN percents TEXT NOT NULL DEFAULT '';

-- A hold on one session is seen by those whose servers it was on.
DROP POLICY customer ON session_holds;
CREATE POLICY customer ON session_holds USING (current_setting('ostler.customer', true) = '*'
    OR customer_id = ANY (string_to_array(current_setting('ostler.customer', true), ','))
    OR session_id <> '' AND EXISTS (SELECT 1 FROM staff_session_customers c WHERE c.session_id = session_holds.session_id AND c.customer_id = ANY (string_to_array(current_setting('ostler.customer', true), ','))))
  WITH CHECK (current_setting('ostler.customer', true) = '*' OR customer_id = ANY (string_to_array(current_setting('ostler.customer', true), ',')));

-- +goose Down
DROP POLICY customer ON session_holds;
CREATE POLICY customer ON session_holds USING (current_setting('ostler.customer', true) = '*' OR customer_id = ANY (string_to_array(current_setting('ostler.customer', true), ',')));
ALTER TABLE session_draws DROP COLUMN percents;
DROP INDEX session_reviews_draw;
DROP INDEX session_reviews_closed;
UPDATE session_reviews SET by_id = claimed_by WHERE state = 'claimed';
ALTER TABLE session_reviews DROP COLUMN closed_at;
ALTER TABLE session_reviews DROP COLUMN closed_why;
ALTER TABLE session_reviews DROP COLUMN question_at;
ALTER TABLE session_reviews DROP COLUMN question_by;
ALTER TABLE session_reviews DROP COLUMN question;
ALTER TABLE session_reviews DROP COLUMN claimed_by;
