package incidents

import (
	"context"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

func (s *Service) registerWork() {}

// AddTask puts a task into a case. Permission: incident.write.
func (s *Service) AddTask(ctx context.Context, scope policy.Scope, id string, in Task) (Task, error) {
	return Task{}, errUnbuilt
}

// TaskDone ends a task. Permission: incident.write.
func (s *Service) TaskDone(ctx context.Context, scope policy.Scope, task, note string) (Task, error) {
	return Task{}, errUnbuilt
}

// Note writes a line into a case's timeline, at an instant. Permission: incident.write.
func (s *Service) Note(ctx context.Context, scope policy.Scope, id string, at At, text string) error {
	return errUnbuilt
}

// Timeline merges what was done in a case with what happened on its servers from
// a day before it was noticed until it was contained, or the instants given; oldest
// first. partial says what could not be read. Permission: incident.read, of staff.
func (s *Service) Timeline(ctx context.Context, scope policy.Scope, id string, from, to time.Time) (items []Moment, partial []string, err error) {
	return nil, nil, errUnbuilt
}

// Act contains, and records who did it and what came of it. Permission: incident.write.
func (s *Service) Act(ctx context.Context, scope policy.Scope, id string, in NewAction) (Action, error) {
	return Action{}, errUnbuilt
}

// Decide records a risk assessment and what follows. Permission: incident.write.
func (s *Service) Decide(ctx context.Context, scope policy.Scope, id string, in NewDecision) (Decision, error) {
	return Decision{}, errUnbuilt
}

// Freeze keeps a case's data longer than the first 30 days: with a ground and an
// end. Permission: incident.write.
func (s *Service) Freeze(ctx context.Context, scope policy.Scope, id string, until At, ground string) (Case, error) {
	return Case{}, errUnbuilt
}

// Thaw lets go of it. Permission: incident.admin.
func (s *Service) Thaw(ctx context.Context, scope policy.Scope, id, why string) (Case, error) {
	return Case{}, errUnbuilt
}

// Register is the register of breaches, newest first. Permission: incident.read, of staff.
func (s *Service) Register(ctx context.Context, scope policy.Scope, year int) ([]RegisterEntry, error) {
	return nil, errUnbuilt
}

// AuthorityForm fills in what an authority's form asks for: "ico" or "edpb".
// Permission: incident.read, of staff.
func (s *Service) AuthorityForm(ctx context.Context, scope policy.Scope, id, authority string) (Form, error) {
	return Form{}, errUnbuilt
}

// AfterAction is the report after a case. Permission: incident.read, of staff.
func (s *Service) AfterAction(ctx context.Context, scope policy.Scope, id string) (Paper, error) {
	return Paper{}, errUnbuilt
}

// Report takes in somebody's word that something may be wrong. Whoever may do
// nothing else may do this. Errors: too many, from one address.
func (s *Service) Report(ctx context.Context, scope policy.Scope, in NewReport) (Report, error) {
	return Report{}, errUnbuilt
}

// ReportIn takes in what another slice found, in its transaction; the same key
// again is the report that is there.
func (s *Service) ReportIn(tx *db.Tx, scope policy.Scope, in NewReport) error { return errUnbuilt }

// Reports lists them, those that nobody has looked at first. Permission:
// incident.read, of staff; contacts see their own.
func (s *Service) Reports(ctx context.Context, scope policy.Scope, waiting bool) ([]Report, error) {
	return nil, errUnbuilt
}

// Triage decides what becomes of a report. Permission: incident.write.
func (s *Service) Triage(ctx context.Context, scope policy.Scope, report string, in Triage) (Report, error) {
	return Report{}, errUnbuilt
}
