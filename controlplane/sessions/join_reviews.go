package sessions

import "ostler/controlplane/db"

// reviewsOf returns how these sessions' reviews stand; a session that is not in
// it is NotWanted.
func (s *Service) reviewsOf(tx *db.Tx, ids []string) (map[string]Review, error) {
	return map[string]Review{}, nil
}

// risksOf returns how much these sessions want to be looked at: it is kept
// beside the review, not in the session's row. One that is not in it has none yet.
func (s *Service) risksOf(tx *db.Tx, ids []string) (map[string]Risk, error) {
	return map[string]Risk{}, nil
}
