package identity

import (
	"ostler/controlplane"
	"ostler/controlplane/db"
)

// ActorNow returns the actor that a person is at tx.Now, with their role,
// customers and period of now: for what goes on for long and must ask again. What
// the credential narrowed stays narrow. The plane's own actors are as they were.
//
// Errors: unauthorized for whoever is not let in any more: switched off, removed,
// past their time, signed out, their token revoked.
func (s *Store) ActorNow(tx *db.Tx, a controlplane.Actor) (controlplane.Actor, error) {
	if a.Kind == controlplane.ActorSystem {
		return a, nil
	}
	p, err := s.personIn(tx, anyone(), a.ID)
	if err != nil && controlplane.ErrorCode(err) != controlplane.CodeNotFound {
		return controlplane.Actor{}, wrap("actor", err)
	}
	if err != nil || !p.Active || p.Kind != a.Kind {
		return controlplane.Actor{}, signedOut()
	}
	stands, err := s.stands(tx, a)
	if err != nil {
		return controlplane.Actor{}, wrap("actor", err)
	}
	if !stands {
		return controlplane.Actor{}, signedOut()
	}
	now := p.actor()
	now.Session, now.Token, now.Permissions = a.Session, a.Token, a.Permissions
	return now, nil
}

// NameIn is the name of a person of whatever customer, for a slice that has
// decided that whoever asks may read it.
//
// Errors: not_found.
func (s *Store) NameIn(tx *db.Tx, id string) (string, error) {
	p, err := s.personIn(tx, anyone(), id)
	return p.Name, err
}
