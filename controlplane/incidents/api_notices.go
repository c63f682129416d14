package incidents

import (
	"context"

	"ostler/controlplane/db"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

func (s *Service) registerNotices() {}

// NoticeFilter selects notices, newest first.
type NoticeFilter struct {
	Case, Advisory, Customer string
	Audience                 Audience
	State                    NoticeState
	Limit                    int
	Token                    string
}

// MakeDrafts drafts the next notice to everybody in a case who is to be told and
// has no open draft; customers given limit it to them. Permission: incident.write.
func (s *Service) MakeDrafts(ctx context.Context, scope policy.Scope, id string, purpose Purpose, customers ...string) ([]Notice, error) {
	return nil, errUnbuilt
}

// MakeDraftFor drafts one for an authority, the CSIRT or people. Permission: incident.write.
func (s *Service) MakeDraftFor(ctx context.Context, scope policy.Scope, id string, to Audience, regime string, purpose Purpose) (Notice, error) {
	return Notice{}, errUnbuilt
}

// Notices lists notices. Permission: incident.read; contacts see those sent to them.
func (s *Service) Notices(ctx context.Context, scope policy.Scope, f NoticeFilter) (items []Notice, next string, err error) {
	return nil, "", errUnbuilt
}

// Notice returns one whole. Permission: as Notices.
func (s *Service) Notice(ctx context.Context, scope policy.Scope, id string) (Notice, error) {
	return Notice{}, errUnbuilt
}

// Edit changes a draft. Permission: incident.write.
func (s *Service) Edit(ctx context.Context, scope policy.Scope, id string, version int64, in NoticeEdit) (Notice, error) {
	return Notice{}, errUnbuilt
}

// EditAll writes the same fields and words into every open draft of a case.
// Permission: incident.write.
func (s *Service) EditAll(ctx context.Context, scope policy.Scope, incident string, in NoticeEdit) (int, error) {
	return 0, errUnbuilt
}

// Preview shows a notice as it would be sent, to whom, and what to look at first.
// Permission: incident.write.
func (s *Service) Preview(ctx context.Context, scope policy.Scope, id string) (Preview, error) {
	return Preview{}, errUnbuilt
}

// Send sends a draft, or asks for a second person. Permission: incident.write.
func (s *Service) Send(ctx context.Context, scope policy.Scope, id string, in Sending) (Notice, error) {
	return Notice{}, errUnbuilt
}

// SendAll sends every draft of a case, or asks for a second person for all of
// them. It answers how many went, and why others did not, by id. Permission: incident.write.
func (s *Service) SendAll(ctx context.Context, scope policy.Scope, incident string, in Sending) (sent int, kept map[string]string, err error) {
	return 0, nil, errUnbuilt
}

// Approve sends what another person drafted. Permission: incident.write.
func (s *Service) Approve(ctx context.Context, scope policy.Scope, id string) (Notice, error) {
	return Notice{}, errUnbuilt
}

// Discard puts a draft aside. Permission: incident.write.
func (s *Service) Discard(ctx context.Context, scope policy.Scope, id, why string) (Notice, error) {
	return Notice{}, errUnbuilt
}

// Tell records that somebody was told another way, or a form handed in.
// Permission: incident.write.
func (s *Service) Tell(ctx context.Context, scope policy.Scope, id string, in Telling) (Notice, error) {
	return Notice{}, errUnbuilt
}

// Opened notes that a contact has the notice before them. Permission: incident.read, of a contact.
func (s *Service) Opened(ctx context.Context, scope policy.Scope, id string) error { return errUnbuilt }

// Acknowledge notes that a contact has taken note. Permission: incident.read, of a contact.
func (s *Service) Acknowledge(ctx context.Context, scope policy.Scope, id string) (Notice, error) {
	return Notice{}, errUnbuilt
}

// MailBecame takes in what became of a mail, in its transaction (mail.OnChanged).
func (s *Service) MailBecame(tx *db.Tx, b mail.Became) error { return nil }

// PlanAdvisory finds whom software or a change concerns, and drafts what they are
// told. Permission: incident.write.
func (s *Service) PlanAdvisory(ctx context.Context, scope policy.Scope, in NewAdvisory) (AdvisoryNote, error) {
	return AdvisoryNote{}, errUnbuilt
}

// Advisories lists them, newest first. Permission: incident.read, of staff.
func (s *Service) Advisories(ctx context.Context, scope policy.Scope) ([]AdvisoryNote, error) {
	return nil, errUnbuilt
}

// AdvisoryOf returns one whole.
func (s *Service) AdvisoryOf(ctx context.Context, scope policy.Scope, id string) (AdvisoryNote, error) {
	return AdvisoryNote{}, errUnbuilt
}

// SendAdvisory sends it. Permission: incident.write.
func (s *Service) SendAdvisory(ctx context.Context, scope policy.Scope, id string) (AdvisoryNote, error) {
	return AdvisoryNote{}, errUnbuilt
}
