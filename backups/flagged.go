package backups

import "ostler/controlplane/db"

// flagged stops what is under way of a customer's restores that an instruction is
// about which was paused: the restore itself, all of an assist, all by its ticket.
// It is stopped as by CancelRestore, so that what was changed until then can be
// undone. One that is being undone goes on: that takes it back.
func (s *Service) flagged(tx *db.Tx, customer string, about ...string) error {
	rows, err := restoresAbout(tx, customer, about)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := s.stop(tx, &r, ""); err != nil {
			return err
		}
	}
	return nil
}
