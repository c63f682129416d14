package sessions

import (
	"ostler/controlplane"
	"ostler/controlplane/db"
)

// reviewsOf returns how these sessions' reviews stand; a session that is not in
// it is NotWanted.
func (s *Service) reviewsOf(tx *db.Tx, ids []string) (map[string]Review, error) {
	rows, err := reviewRows(tx, ids)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	out, names := make(map[string]Review, len(rows)), map[string]string{}
	for id, r := range rows {
		x, err := s.review(r)
		if err != nil {
			return nil, err
		}
		for _, who := range []struct {
			id   string
			into *string
		}{{x.By, &x.Reviewer}, {x.ClaimedBy, &x.Claimer}, {x.QuestionBy, &x.QuestionBy}} {
			if who.id == "" {
				continue
			}
			if *who.into, err = s.nameIn(tx, names, who.id); err != nil {
				return nil, err
			}
		}
		if a, _ := controlplane.ActorFrom(tx.Context()); outside(a) {
			x = x.shown()
		}
		out[id] = x
	}
	return out, nil
}

// nameIn is the name of one of our people, looked up once; "" for whoever is no more.
func (s *Service) nameIn(tx *db.Tx, names map[string]string, staff string) (string, error) {
	if name, ok := names[staff]; ok {
		return name, nil
	}
	name, err := s.identity.NameIn(tx, staff)
	if err != nil && controlplane.ErrorCode(err) != controlplane.CodeNotFound {
		return "", err
	}
	names[staff] = name
	return name, nil
}

// risksOf returns how much these sessions want to be looked at: it is kept
// beside the review, not in the session's row. One that is not in it has none yet.
func (s *Service) risksOf(tx *db.Tx, ids []string) (map[string]Risk, error) {
	rows, err := reviewRows(tx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Risk, len(rows))
	for id, r := range rows {
		out[id] = Risk{Score: int(r.RiskScore), Why: split(r.RiskWhy)}
	}
	return out, nil
}
