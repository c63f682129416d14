package access

import (
	"context"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// registerTelling hooks up notices, entries, campaigns and authorisations.
func (s *Service) registerTelling() {}

// Notice is what a customer was told, with every change in it.
type Notice struct {
	ID, Customer string // ntc_
	Items        []Change
	OpenedAt     time.Time // the first change
	DueAt        time.Time // by the customer's terms
	SentAt       time.Time // handed to mail
	// AcceptedAt is a mail server's word; ReadAt is when a contact opened it here.
	AcceptedAt, ReadAt time.Time
	AcknowledgedAt     time.Time
	AcknowledgedBy     string
	Mails              []NoticeMail // in the order in which contacts were tried
	Late               bool
	State              string // "gathering", "sent", "accepted", "bounced", "acknowledged", "unreachable"
}

// NoticeMail is one mail of a notice.
type NoticeMail struct {
	Mail, Contact, Name string
	State, Cause        string // of package mail
	At                  time.Time
}

// Notices lists a customer's notices, newest first. Permission: access.read.
func (s *Service) Notices(ctx context.Context, scope policy.Scope, customer string, limit int, pageToken string) (items []Notice, next string, err error) {
	return nil, "", errContract
}

// GetNotice returns a notice; a contact who reads it is noted as having read it.
// Permission: access.read.
func (s *Service) GetNotice(ctx context.Context, scope policy.Scope, id string) (Notice, error) {
	return Notice{}, errContract
}

// Acknowledge notes that a contact has taken note. Permission: access.confirm.
func (s *Service) Acknowledge(ctx context.Context, scope policy.Scope, notice string) error {
	return errContract
}

// SinceVisit returns what changed in a customer's list since the actor looked at
// it last, and notes that they look now. Permission: access.read.
func (s *Service) SinceVisit(ctx context.Context, scope policy.Scope, customer string) (last time.Time, changes []Change, err error) {
	return time.Time{}, nil, errContract
}

// Facility is a place where servers stand.
type Facility struct {
	ID, Name, Country string // fac_
	// Location is how servers' locations begin that stand here ("Falkenstein 2").
	Location     string
	Certificates []FacilityPaper
	Controls     string // photo ID, biometric, CCTV, alarm: in a sentence
	Version      int64
}

// FacilityPaper is a certificate of a facility (ISO 27001 ...).
type FacilityPaper struct {
	Name, Number string
	Until        time.Time
	Reference    string
}

// PutFacility makes or changes a facility. Permission: access.write over all customers.
func (s *Service) PutFacility(ctx context.Context, scope policy.Scope, f Facility) (Facility, error) {
	return Facility{}, errContract
}

// Facilities lists facilities; a customer sees those where their servers stand.
func (s *Service) Facilities(ctx context.Context, scope policy.Scope) ([]Facility, error) {
	return nil, errContract
}

// Entry puts somebody on lists by another ground than a grant: a key to a
// cabinet, a visit, a hypervisor, a backup key, a service account. It says
// where: one customer, one server, or a facility and rack; none of them is all
// customers.
type Entry struct {
	ID             string // ent_
	Way            Way    // admin, backup_key, physical, visit, service, login, customer
	Person         string // prs_
	PersonName     string
	Customer       string
	Server         string
	Facility, Rack string
	Role           string // "hypervisor pve-1", "cabling"
	Reason, Ticket string
	Escort         string // visits: prs_ of who goes with them
	EscortName     string
	From, Until    time.Time // Until zero only with ReviewBy
	ReviewBy       time.Time
	EndedAt        time.Time
	EndedBy        string
	EndedWhy       string
	CreatedBy      string
	Version        int64
}

// AddEntry puts somebody on lists. Permission: access.write.
func (s *Service) AddEntry(ctx context.Context, scope policy.Scope, e Entry) (Entry, error) {
	return Entry{}, errContract
}

// EndEntry takes them off now, with why. Permission: access.write.
func (s *Service) EndEntry(ctx context.Context, scope policy.Scope, id, why string) (Entry, error) {
	return Entry{}, errContract
}

// EntryFilter narrows Entries; zero fields do not.
type EntryFilter struct {
	Customer, Person, Facility string
	Ways                       []Way
	Ended                      bool
	Limit                      int
	PageToken                  string
}

// Entries lists entries, newest first. Permission: access.read.
func (s *Service) Entries(ctx context.Context, scope policy.Scope, f EntryFilter) (items []Entry, next string, err error) {
	return nil, "", errContract
}

// Campaign is a recertification of lists.
type Campaign struct {
	ID                   string // rec_
	Title                string
	StartedAt, By, DueAt time.Time
	StartedBy            string
	EndedAt              time.Time
	Total, Kept, Revoked int
	Open                 int
}

// CampaignItem is one line that somebody has to confirm.
type CampaignItem struct {
	ID, Campaign         string
	Customer             string
	Grant                string // grt_ or ent_
	Person, Name, Role   string
	Way                  Way
	LastUsed             time.Time // zero is never, as far as is known
	LastOnCall           bool      // the last one who could come: seven days more, and a finding
	Answer               string    // "", "keep", "revoke", "revoked_silently"
	AnsweredBy, Because  string
	AnsweredAt, RevokeAt time.Time
}

// StartCampaign starts a recertification of all lists of the scope; customers
// with an empty list are not asked about. Permission: access.admin.
func (s *Service) StartCampaign(ctx context.Context, scope policy.Scope, title string, due time.Time) (Campaign, error) {
	return Campaign{}, errContract
}

// Campaigns lists them, newest first. Permission: access.read.
func (s *Service) Campaigns(ctx context.Context, scope policy.Scope) ([]Campaign, error) {
	return nil, errContract
}

// CampaignItems lists what a campaign asks, the open ones first. Permission: access.read.
func (s *Service) CampaignItems(ctx context.Context, scope policy.Scope, campaign, customer string, limit int, pageToken string) (items []CampaignItem, next string, err error) {
	return nil, "", errContract
}

// AnswerItem keeps or revokes one line, with why. Nobody answers for themselves.
// Permission: access.approve.
func (s *Service) AnswerItem(ctx context.Context, scope policy.Scope, item string, keep bool, because string) (CampaignItem, error) {
	return CampaignItem{}, errContract
}

// Authorisation says who may instruct us for a customer.
type Authorisation struct {
	ID, Customer string // aut_
	Contact      string // con_, "" where they have no sign-in
	Name         string
	Capacity     string // "contact", "designee"
	// Acts are what they may instruct: restore, session, change, access, all.
	Acts        []string
	From, Until time.Time // Until zero is open
	Document    string    // where the designation is kept
	EndedAt     time.Time
	CreatedBy   string
}

// AddAuthorisation registers one. Permission: access.confirm (an owner of the
// customer) or access.write.
func (s *Service) AddAuthorisation(ctx context.Context, scope policy.Scope, a Authorisation) (Authorisation, error) {
	return Authorisation{}, errContract
}

// EndAuthorisation ends one now.
func (s *Service) EndAuthorisation(ctx context.Context, scope policy.Scope, id string) error {
	return errContract
}

// Authorisations lists who could instruct for a customer at an instant (zero: all there were).
func (s *Service) Authorisations(ctx context.Context, scope policy.Scope, customer string, at time.Time) ([]Authorisation, error) {
	return nil, errContract
}

// Authorised returns the authorisation by which an act for a customer may be
// done at tx.Now, for whoever cites it (restores, sessions, grants).
// by is a contact's id, or "" for any. Errors: conflict where there is none.
func (s *Service) Authorised(tx *db.Tx, customer, act, by string) (id string, err error) {
	return "", errContract
}

// Instruction is what a customer told us to do, as far as it is disputed: one
// that would break the law pauses the work and is told to the customer
// (Art. 28(3) GDPR, last sentence).
type Instruction struct {
	ID, Customer  string // ins_
	Authorisation string
	What, Ticket  string
	Subject       string // what it is about: res_, grt_, a session
	FlaggedBy     string
	FlaggedAt     time.Time
	Why           string
	Mail          string
	DecidedAt     time.Time
	DecidedBy     string
	Decision      string // "withdrawn", "changed", "lawful"
	Reasons       string
}

// FlagInstruction pauses the work on an instruction and tells the customer why. Permission: access.write.
func (s *Service) FlagInstruction(ctx context.Context, scope policy.Scope, in Instruction) (Instruction, error) {
	return Instruction{}, errContract
}

// DecideInstruction ends the pause, with reasons. Permission: access.approve.
func (s *Service) DecideInstruction(ctx context.Context, scope policy.Scope, id, decision, reasons string) (Instruction, error) {
	return Instruction{}, errContract
}

// Instructions lists those of a customer, newest first. Permission: access.read.
func (s *Service) Instructions(ctx context.Context, scope policy.Scope, customer string) ([]Instruction, error) {
	return nil, errContract
}
