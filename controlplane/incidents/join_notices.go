package incidents

import "ostler/controlplane/db"

// toldOf are the notices of a case that were sent, or handed in, in the order of
// their phases. What was drilled counts in a drill as if it had been delivered.
func (s *Service) toldOf(tx *db.Tx, incident string) ([]told, error) {
	rows, err := noticeHeads(tx, incident)
	if err != nil {
		return nil, err
	}
	var out []told
	for _, r := range rows {
		if r.SentAt == 0 && r.ToldAt == 0 {
			continue
		}
		out = append(out, told{Notice: r.ID, Customer: r.CustomerID, Audience: Audience(r.Audience), Purpose: Purpose(r.Purpose), Regime: r.Regime, Phase: int(r.Phase),
			SentAt: r.SentAt, ToldAt: r.ToldAt})
	}
	return out, nil
}

// moveNotices has the notices of a case go on in another: of some customers, or
// of all where there are none. What was told in the one was told in the other, but for
// what was told before an instant, in Unix milliseconds: it says nothing of the facts on
// which the one was reopened, and stays with it.
func (s *Service) moveNotices(tx *db.Tx, from, into string, since int64, customers ...string) error {
	q := "UPDATE incident_notices SET case_id = ? WHERE case_id = ? AND NOT (sent_at > 0 AND sent_at < ? OR told_at > 0 AND told_at < ?)"
	if len(customers) == 0 {
		return tx.Exec(q, into, from, since, since).Error
	}
	for _, c := range customers {
		if err := tx.Exec(q+" AND customer_id = ?", into, from, since, since, c).Error; err != nil {
			return err
		}
	}
	return nil
}
