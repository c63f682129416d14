package backups

import (
	"context"
	"time"

	"ostler/controlplane/policy"
)

// AskState is how an ask stands.
type AskState string

// The states of an ask.
const (
	AskOpen  AskState = "open"
	AskTaken AskState = "taken" // somebody of us is at it
	AskDone  AskState = "done"
)

// Valid reports whether s is a known state.
func (s AskState) Valid() bool { return s == AskOpen || s == AskTaken || s == AskDone }

// Ask is a customer's wish that we restore something for them.
type Ask struct {
	ID, Customer, By           string // ask_, cus_, con_
	State                      AskState
	What, Answer               string // sealed in the database
	MailMe                     bool
	TakenBy, DoneBy            string // stf_
	CreatedAt, TakenAt, DoneAt time.Time
}

// NewAsk is what an ask is made of.
type NewAsk struct {
	Customer string // "" is the scope's only one
	What     string // what, from when, on which server; 1 to 4,000 characters
	MailMe   bool   // a mail when it is answered
}

// AskUs has us restore what a contact describes. It opens a finding for ops
// ("restore.asked", link /asks/<id>). Permission: restore.ask. Errors: invalid
// (/what), too many, not_found.
func (s *Service) AskUs(ctx context.Context, scope policy.Scope, in NewAsk) (Ask, error) {
	return Ask{}, notYet()
}

// AskFilter narrows a list of asks; its zero value is all of the scope.
type AskFilter struct {
	Customer string
	Waiting  bool // open or taken
	Limit    int  // at most 200; 0 means 50
}

// Asks lists asks, newest first. Permission: restore.ask for contacts,
// restore.assist for staff.
func (s *Service) Asks(ctx context.Context, scope policy.Scope, f AskFilter) ([]Ask, error) {
	return nil, notYet()
}

// Ask returns one ask. Permission: as Asks. It changes with the topic "ask:<id>".
func (s *Service) Ask(ctx context.Context, scope policy.Scope, id string) (Ask, error) {
	return Ask{}, notYet()
}

// TakeAsk says that the actor is at it. Permission: restore.assist. Errors:
// not_found, conflict where it is done.
func (s *Service) TakeAsk(ctx context.Context, scope policy.Scope, id string) (Ask, error) {
	return Ask{}, notYet()
}

// AnswerAsk ends an ask with what was done (1 to 4,000 characters), and closes
// its finding. Permission: restore.assist. Errors: invalid (/answer),
// not_found, conflict where it is done.
func (s *Service) AnswerAsk(ctx context.Context, scope policy.Scope, id, answer string) (Ask, error) {
	return Ask{}, notYet()
}
