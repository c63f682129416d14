package incidents

import "ostler/controlplane/db"

// What hangs on a case of tasks, actions and decisions, in the order in which
// they were made.

func (s *Service) tasksOf(tx *db.Tx, incident string) ([]Task, error) { return nil, nil }

func (s *Service) actionsOf(tx *db.Tx, incident string) ([]Action, error) { return nil, nil }

func (s *Service) decisionsOf(tx *db.Tx, incident string) ([]Decision, error) { return nil, nil }
