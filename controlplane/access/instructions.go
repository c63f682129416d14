package access

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Instruction is what a customer told us to do, as far as it is disputed: one
// that would break the law pauses the work and is told to the customer
// (Art. 28(3) GDPR, last sentence).
type Instruction struct {
	ID, Customer  string // ins_
	Authorisation string
	What, Ticket  string
	Subject       string // what it is about: res_, grt_, asi_, a session
	FlaggedBy     string
	FlaggedAt     time.Time
	Why           string
	Mail          string // the first of the mails that told the customer
	DecidedAt     time.Time
	DecidedBy     string
	Decision      string // "withdrawn", "changed", "lawful"
	Reasons       string
}

// The decisions on an instruction. One that was withdrawn stays paused: its work
// is never done.
const (
	DecisionWithdrawn = "withdrawn"
	DecisionChanged   = "changed"
	DecisionLawful    = "lawful"
)

// decisionWords are the decisions as people read them.
var decisionWords = map[string]string{
	DecisionWithdrawn: "you withdrew it, and the work is not done",
	DecisionChanged:   "it was changed, and the work goes on as changed",
	DecisionLawful:    "it is lawful, and the work goes on",
}

// Templates of mail about instructions.
const (
	mailFlagged = "access.flagged" // args what, because
	mailDecided = "access.decided" // args what, decision, because
)

// OnFlagged has stop called for what an instruction is about when it is flagged, in
// the same transaction: what is under way stops, as far as it can.
func (s *Service) OnFlagged(stop func(tx *db.Tx, customer string, about ...string) error) {
	s.onFlagged = append(s.onFlagged, stop)
}

// FlagInstruction pauses the work on an instruction and tells the customer why.
// What names its subject or its ticket stops where it is under way, and is refused
// until it is decided. Permission: access.write.
func (s *Service) FlagInstruction(ctx context.Context, scope policy.Scope, in Instruction) (Instruction, error) {
	c, err := s.customerOf(ctx, scope, in.Customer)
	if err != nil {
		return Instruction{}, err
	}
	var f inputs
	in.What = f.line("/what", in.What, 500, "Say what the customer told you to do.")
	in.Why = f.line("/why", in.Why, maxReason, "Say which law it would break, and how. The customer reads it.")
	in.Ticket = f.line("/ticket", in.Ticket, maxShort, "")
	needed := ""
	if in.Ticket == "" {
		needed = "Name what is paused, or the ticket."
	}
	in.Subject = f.line("/subject", in.Subject, maxShort, needed)
	if err := f.err(); err != nil {
		return Instruction{}, err
	}
	in.ID, in.Customer = controlplane.NewID(controlplane.PrefixInstruction), c.ID
	in.Mail, in.DecidedAt, in.DecidedBy, in.Decision, in.Reasons = "", time.Time{}, "", "", ""
	var out Instruction
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		out = in
		if in.Authorisation != "" {
			all, err := s.authorisations(tx, c.ID)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(all, func(a Authorisation) bool { return a.ID == in.Authorisation }) {
				return invalid("/authorisation", "Choose one of those who may instruct us for this customer.")
			}
		}
		out.FlaggedAt, out.FlaggedBy = tx.Now, actorOf(tx.Context()).ID
		out.Mail, err = s.writeOwners(tx, c.ID, Letter{Key: "access.flagged:" + out.ID, Template: mailFlagged, Path: "/access/instructions/" + out.ID, Subject: out.ID,
			Args: map[string]string{"what": out.What, "because": out.Why}})
		if err != nil {
			return err
		}
		if err := s.insertInstruction(tx, out); err != nil {
			return err
		}
		if err := s.findings.Raise(tx, findings.Finding{Key: flaggedKey(out.ID), Customer: c.ID, Subject: out.ID, Kind: findings.AccessInstructionFlagged, Severity: findings.Warn,
			Owner: findings.Ops, Args: map[string]string{"what": out.What, "where": c.Name, "because": sentencePart(out.Why)}, Link: "/access/instructions/" + out.ID}); err != nil {
			return err
		}
		about := slices.DeleteFunc([]string{out.Subject, out.Ticket}, func(v string) bool { return v == "" })
		for _, stop := range s.onFlagged {
			if err := stop(tx, c.ID, about...); err != nil {
				return err
			}
		}
		return s.note(tx, ledger.Entry{Customer: c.ID, Subject: out.ID, Kind: "access.instruction_flagged",
			Data:     map[string]any{"about": out.Subject, "ticket": out.Ticket, "authorisation": out.Authorisation, "mail": out.Mail},
			Personal: map[string]string{"what": out.What, "why": out.Why}})
	})
	return out, wrap("flag instruction", err)
}

func flaggedKey(id string) string { return "access.instruction_flagged:" + id }

// DecideInstruction ends the pause, with reasons; a withdrawn one stays paused
// for good. The customer may withdraw or change what they told us; whether it is
// lawful we decide. Permission: access.approve.
func (s *Service) DecideInstruction(ctx context.Context, scope policy.Scope, id, decision, reasons string) (Instruction, error) {
	var f inputs
	if decisionWords[decision] == "" {
		f.add("/decision", "Choose withdrawn, changed or lawful.")
	}
	if actorOf(ctx).Kind == controlplane.ActorContact && decision == DecisionLawful {
		f.add("/decision", "You can withdraw the instruction or change it. Whether it is lawful, we have to decide: write to us why it is.")
	}
	reasons = f.line("/reasons", reasons, maxReason, "Give the reasons. The customer reads them.")
	if err := f.err(); err != nil {
		return Instruction{}, err
	}
	var out Instruction
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := db.One[instructionRow](tx, scope, "instruction", id)
		if err != nil {
			return err
		}
		if r.DecidedAt > 0 {
			return controlplane.Errorf(controlplane.CodeConflict, "Read the decision on its page.", "Somebody has decided on this instruction already")
		}
		r.DecidedAt, r.DecidedBy, r.Decision = tx.NowMillis(), actorOf(tx.Context()).ID, decision
		if r.Reasons, err = s.seal(r.CustomerID, "access_instructions", "reasons", r.ID, reasons); err != nil {
			return err
		}
		if err := db.Save(tx, &r); err != nil {
			return err
		}
		if out, err = s.instruction(r); err != nil {
			return err
		}
		if _, err := s.writeOwners(tx, r.CustomerID, Letter{Key: "access.decided:" + r.ID, Template: mailDecided, Path: "/access/instructions/" + r.ID, Subject: r.ID,
			Args: map[string]string{"what": out.What, "decision": decisionWords[decision], "because": reasons}}); err != nil {
			return err
		}
		if err := s.findings.Close(tx, flaggedKey(r.ID), "somebody decided: "+decision); err != nil {
			return err
		}
		return s.note(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: "access.instruction_decided",
			Data: map[string]any{"decision": decision, "about": r.Subject}, Personal: map[string]string{"reasons": reasons}})
	})
	return out, wrap("decide instruction", err)
}

// Instructions lists those of a customer, newest first. Permission: access.read.
func (s *Service) Instructions(ctx context.Context, scope policy.Scope, customer string) (out []Instruction, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		c, err := s.customers.CustomerIn(tx, scope, customer)
		if err != nil {
			return err
		}
		rows, err := db.Where[instructionRow](tx, policy.OneCustomer(c.ID), "flagged_at DESC, id DESC", 500, "customer_id = ?", c.ID)
		if err != nil {
			return err
		}
		out = make([]Instruction, 0, len(rows))
		for _, r := range rows {
			in, err := s.instruction(r)
			if err != nil {
				return err
			}
			out = append(out, in)
		}
		return nil
	})
	return out, wrap("instructions", err)
}

// Paused reports whether the work on any of these is paused, and why: each is
// the id of what is worked on, or a ticket. Work that was withdrawn stays paused.
func (s *Service) Paused(tx *db.Tx, customer string, about ...string) (paused bool, why string, err error) {
	about = slices.DeleteFunc(slices.Clone(about), func(v string) bool { return v == "" })
	if len(about) == 0 {
		return false, "", nil
	}
	rows, err := db.Where[instructionRow](tx, policy.OneCustomer(customer), "flagged_at, id", 1,
		"(subject IN ? OR ticket IN ?) AND (decided_at = 0 OR decision = ?)", about, about, DecisionWithdrawn)
	if err != nil || len(rows) == 0 {
		return false, "", wrap("paused", err)
	}
	in, err := s.instruction(rows[0])
	return true, in.Why, wrap("paused", err)
}

// Hold refuses work that is paused. Errors: conflict.
func (s *Service) Hold(tx *db.Tx, customer string, about ...string) error {
	paused, _, err := s.Paused(tx, customer, about...)
	if err != nil || !paused {
		return err
	}
	return controlplane.Errorf(controlplane.CodeConflict, "Open the customer's instructions: it goes on when somebody has decided that it may.",
		"This work is paused: the instruction behind it may break the law")
}

func (s *Service) insertInstruction(tx *db.Tx, in Instruction) (err error) {
	r := instructionRow{ID: in.ID, CustomerID: in.Customer, AuthorisationID: in.Authorisation, Ticket: in.Ticket, Subject: in.Subject,
		FlaggedBy: in.FlaggedBy, FlaggedAt: controlplane.Millis(in.FlaggedAt), MailID: in.Mail}
	if r.What, err = s.seal(in.Customer, "access_instructions", "what", in.ID, in.What); err != nil {
		return err
	}
	if r.Why, err = s.seal(in.Customer, "access_instructions", "why", in.ID, in.Why); err != nil {
		return err
	}
	return db.Insert(tx, &r)
}

func (s *Service) instruction(r instructionRow) (in Instruction, err error) {
	in = Instruction{ID: r.ID, Customer: r.CustomerID, Authorisation: r.AuthorisationID, Ticket: r.Ticket, Subject: r.Subject, FlaggedBy: r.FlaggedBy,
		FlaggedAt: controlplane.FromMillis(r.FlaggedAt), Mail: r.MailID, DecidedAt: controlplane.FromMillis(r.DecidedAt), DecidedBy: r.DecidedBy, Decision: r.Decision}
	for _, c := range []struct {
		column string
		from   []byte
		to     *string
	}{{"what", r.What, &in.What}, {"why", r.Why, &in.Why}, {"reasons", r.Reasons, &in.Reasons}} {
		if *c.to, err = s.open(r.CustomerID, "access_instructions", c.column, r.ID, c.from); err != nil {
			return in, fmt.Errorf("instruction %s: %w", r.ID, err)
		}
	}
	return in, nil
}
