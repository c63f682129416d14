package certs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/certs/limits"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// edit changes a certificate in one transaction and returns it.
func (s *Service) edit(ctx context.Context, scope policy.Scope, id string, do func(tx *db.Tx, row *certRow) error) (out Certificate, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := db.One[certRow](tx, scope, "certificate", id)
		if err != nil {
			return err
		}
		if err := do(tx, &row); err != nil {
			return err
		}
		out, err = s.value(row)
		return err
	})
	return out, err
}

// note writes an entry about a certificate.
func (s *Service) note(tx *db.Tx, row certRow, kind string, data map[string]any) error {
	_, err := s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Server: row.ServerID, Subject: row.ID, Kind: kind, Data: data})
	return err
}

// maxReason bounds what a person writes, in bytes.
const maxReason = 1000

func checkReason(pointer, reason string, needed bool) error {
	if needed && reason == "" {
		return controlplane.Invalid(controlplane.Field{Pointer: pointer, Message: "Say why, in a sentence: it stands in the ledger."})
	}
	if len(reason) > maxReason || !plain(reason) {
		return controlplane.Invalid(controlplane.Field{Pointer: pointer, Message: "The reason is one line of at most 1000 characters that can be seen."})
	}
	return nil
}

// Pause keeps a certificate from the CA until an instant, the zero time or
// Forever until a person says so. What is under way and not issued yet is
// stopped. Permission: cert.write.
func (s *Service) Pause(ctx context.Context, scope policy.Scope, id string, until time.Time, reason string) (Certificate, error) {
	if err := checkReason("/reason", reason, false); err != nil {
		return Certificate{}, err
	}
	return s.edit(ctx, scope, id, func(tx *db.Tx, row *certRow) error {
		if err := live(*row); err != nil {
			return err
		}
		if until.IsZero() || until.After(Forever) {
			until = Forever
		}
		if !until.After(tx.Now) {
			return controlplane.Invalid(controlplane.Field{Pointer: "/until", Message: "This instant is past already."})
		}
		if err := s.pauseRow(tx, row, until, reason); err != nil {
			return err
		}
		return saveCert(tx, row)
	})
}

// pauseRow pauses a certificate; the caller saves it.
func (s *Service) pauseRow(tx *db.Tx, row *certRow, until time.Time, reason string) (err error) {
	row.PauseReason = nil
	if reason != "" {
		if row.PauseReason, err = s.keeper.Seal(row.CustomerID, ad("certificates", "pause_reason", row.ID), []byte(reason)); err != nil {
			return fmt.Errorf("certs: pause: %w", err)
		}
	}
	row.PausedUntil, row.UpdatedAt = controlplane.Millis(until), tx.NowMillis()
	row.Version++
	if err := s.stopUnissued(tx, row, Why{Code: WhyPaused, Until: until}); err != nil {
		return err
	}
	_, err = s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Server: row.ServerID, Subject: row.ID, Kind: "certificate.paused",
		Data: map[string]any{"until": controlplane.Instant(until)}, Personal: personal(reason)})
	return err
}

func personal(reason string) map[string]string {
	if reason == "" {
		return nil
	}
	return map[string]string{"reason": reason}
}

// stopUnissued stops the open attempt where the CA has not issued it yet.
func (s *Service) stopUnissued(tx *db.Tx, cert *certRow, why Why) error {
	if cert.OpenIssue == "" {
		return nil
	}
	row, ok, err := s.openRow(tx, cert.OpenIssue)
	if err != nil || ok && row.Serial != "" {
		return err
	}
	return s.cancelOpen(tx, cert, why)
}

// Resume ends a pause. Permission: cert.write.
func (s *Service) Resume(ctx context.Context, scope policy.Scope, id string) (Certificate, error) {
	return s.edit(ctx, scope, id, func(tx *db.Tx, row *certRow) error {
		if err := live(*row); err != nil {
			return err
		}
		if row.PausedUntil == 0 {
			return nil
		}
		row.PausedUntil, row.PauseReason, row.UpdatedAt = 0, nil, tx.NowMillis()
		row.Version++
		if row.IssuedRound == 0 && row.NextTry == 0 {
			row.NextTry = tx.NowMillis()
		}
		if err := saveCert(tx, row); err != nil {
			return err
		}
		return s.note(tx, *row, "certificate.resumed", nil)
	})
}

// End has a certificate looked after no more; what is installed stays where it
// is. Ending it again changes nothing. Permission: cert.write.
func (s *Service) End(ctx context.Context, scope policy.Scope, id string) (Certificate, error) {
	return s.edit(ctx, scope, id, func(tx *db.Tx, row *certRow) error { return s.endRow(tx, row) })
}

func (s *Service) endRow(tx *db.Tx, row *certRow) error {
	if row.EndedAt > 0 {
		return nil
	}
	if row.OpenIssue != "" {
		if err := s.cancelOpen(tx, row, Why{Code: WhyEnded}); err != nil {
			return err
		}
	}
	row.EndedAt, row.UpdatedAt, row.State = tx.NowMillis(), tx.NowMillis(), string(StateEnded)
	row.Version++
	if err := saveCert(tx, row); err != nil {
		return err
	}
	if err := s.closeAll(tx, *row, "the certificate is looked after no more"); err != nil {
		return err
	}
	return s.note(tx, *row, "certificate.ended", map[string]any{"serial": row.Serial})
}

// Renew starts an attempt now, whatever the plan says; limits of the CA still
// count. Permission: cert.write. Errors: conflict where one is under way or it
// is paused, or there is no authority.
func (s *Service) Renew(ctx context.Context, scope policy.Scope, id string) (Issue, error) {
	return s.startNow(ctx, scope, id, func(certRow) start { return start{reason: ReasonForced} })
}

// DryRun starts an attempt at the staging authority: nothing of it is
// installed. Permission: cert.write. Errors: conflict where there is no staging authority.
func (s *Service) DryRun(ctx context.Context, scope policy.Scope, id string) (Issue, error) {
	return s.startNow(ctx, scope, id, func(certRow) start { return start{reason: ReasonForced, dry: true} })
}

func (s *Service) startNow(ctx context.Context, scope policy.Scope, id string, what func(certRow) start) (out Issue, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		cert, err := db.One[certRow](tx, scope, "certificate", id)
		if err != nil {
			return err
		}
		if err := live(cert); err != nil {
			return err
		}
		o := what(cert)
		switch {
		case cert.OpenIssue != "":
			return controlplane.Errorf(controlplane.CodeConflict, "Wait until it is over, or stop it.", "An attempt is under way already")
		case cert.PausedUntil > tx.NowMillis() && !o.dry:
			return controlplane.Errorf(controlplane.CodeConflict, "Resume it first.", "This certificate is paused")
		}
		if _, ok, err := s.choose(tx, cert, o.dry); err != nil {
			return err
		} else if !ok && o.dry {
			return controlplane.Errorf(controlplane.CodeConflict, "Add one with the role “staging” first.", "There is no authority for dry runs")
		} else if !ok {
			return controlplane.Errorf(controlplane.CodeConflict, "Add one and accept its terms first.", "There is no certificate authority yet")
		}
		if err := s.lift(tx, cert, o); err != nil {
			return err
		}
		row, err := s.begin(tx, &cert, o)
		if err != nil {
			return err
		}
		out, err = row.value()
		return err
	})
	return out, err
}

// lift ends what we keep of a CA's pause of names: a person who asks anew says
// that it was lifted. Where it was not, the CA says so again.
func (s *Service) lift(tx *db.Tx, cert certRow, o start) error {
	ca, ok, err := s.choose(tx, cert, o.dry)
	if err != nil || !ok {
		return err
	}
	names, err := cert.names()
	if err != nil {
		return err
	}
	verdicts, err := Budget{}.Refusals(tx, Ask{Authority: ca.ID, Names: names})
	if err != nil || !slices.ContainsFunc(verdicts, func(v limits.Verdict) bool { return v.Limit == limits.FailedInRow }) {
		return err
	}
	return Budget{}.Lift(tx, ca.ID, names)
}

// CancelIssue stops an attempt that has not been issued yet. Permission:
// cert.write. Errors: conflict where it is over, or is being installed.
func (s *Service) CancelIssue(ctx context.Context, scope policy.Scope, id string) (out Issue, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := db.One[issueRow](tx, scope, "attempt", id)
		if err != nil {
			return err
		}
		if row.EndedAt > 0 || row.Serial != "" {
			return controlplane.Errorf(controlplane.CodeConflict, "See how it ends.", "This attempt can no longer be stopped")
		}
		cert, err := db.One[certRow](tx, scope, "certificate", row.CertificateID)
		if err != nil {
			return err
		}
		if err := s.cancelOpen(tx, &cert, Why{Code: WhyCancelled}); err != nil {
			return err
		}
		if err := s.note(tx, cert, "certificate.attempt_cancelled", map[string]any{"issue": id}); err != nil {
			return err
		}
		if row, err = db.One[issueRow](tx, scope, "attempt", id); err != nil {
			return err
		}
		out, err = row.value()
		return err
	})
	return out, err
}

// cancelOpen stops the open attempt of a certificate, and saves both. An order
// under way at the CA ends at its next step.
func (s *Service) cancelOpen(tx *db.Tx, cert *certRow, why Why) error {
	row, ok, err := s.openRow(tx, cert.OpenIssue)
	if err != nil {
		return err
	}
	if !ok {
		cert.OpenIssue = ""
		return saveCert(tx, cert)
	}
	if err := s.cancelled(tx, cert, &row, why); err != nil {
		return err
	}
	return s.jobs.CancelOpen(tx, cert.ServerID, cert.CustomerID, string(wire.ActionCertRequest), func(subject string) (bool, error) { return subject == row.ID, nil })
}

// WhyNot says why a certificate is not being issued or renewed now: every
// reason, the strongest first; never empty. Permission: cert.read.
func (s *Service) WhyNot(ctx context.Context, scope policy.Scope, id string) (out []Why, err error) {
	var cert certRow
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		cert, err = db.One[certRow](tx, scope, "certificate", id)
		return err
	})
	if err != nil {
		return nil, err
	}
	// What stands before it at the CA may be others': only numbers and instants show.
	err = s.db.Read(controlplane.System(ctx, "certs"), func(tx *db.Tx) error {
		out, err = s.reasons(tx, cert)
		return err
	})
	return out, err
}

func (s *Service) reasons(tx *db.Tx, cert certRow) (out []Why, err error) {
	if cert.EndedAt > 0 {
		return []Why{{Code: WhyEnded}}, nil
	}
	if cert.PausedUntil > tx.NowMillis() {
		out = append(out, Why{Code: WhyPaused, Until: controlplane.FromMillis(cert.PausedUntil), Args: pausedArgs(cert)})
	}
	ca, ok, err := s.choose(tx, cert, false)
	if err != nil {
		return nil, err
	}
	if !ok {
		return append(out, Why{Code: WhyNoAuthority}), nil
	}
	if cert.OpenIssue != "" {
		more, err := s.reasonsOpen(tx, cert, ca)
		return append(out, more...), err
	}
	block, err := s.inTheWay(tx, cert, ca)
	if err != nil {
		return nil, err
	}
	out = append(out, block...)
	failing, err := decode[Why](cert.Why)
	if err != nil {
		return nil, err
	}
	switch at := controlplane.FromMillis(cert.attemptAt()); {
	case cert.Attempts > 0:
		out = append(out, Why{Code: WhyBackOff, Until: at}, failing)
	case at.After(tx.Now):
		out = append(out, Why{Code: WhyNotDue, Until: at})
		if cert.AriFailures >= badAnswers {
			out = append(out, Why{Code: WhyARIBad, Args: map[string]string{"authority": ca.Name}})
		}
	case len(out) == 0:
		out = append(out, Why{Code: WhyInLine, Args: map[string]string{"authority": ca.Name}})
	}
	return out, nil
}

func pausedArgs(cert certRow) map[string]string {
	if cert.PausedUntil >= Forever.UnixMilli() {
		return map[string]string{"until": "somebody resumes it"}
	}
	return nil
}

// reasonsOpen says what the open attempt waits for.
func (s *Service) reasonsOpen(tx *db.Tx, cert certRow, ca authorityRow) ([]Why, error) {
	row, ok, err := s.openRow(tx, cert.OpenIssue)
	if err != nil || !ok {
		return []Why{{Code: WhyUnderWay, Args: map[string]string{"state": "ending"}}}, err
	}
	out := []Why{{Code: WhyUnderWay, Args: map[string]string{"state": stateWords[IssueState(row.State)]}}}
	if row.State != string(IssueWaiting) {
		return out, nil
	}
	if row.StartAt > tx.NowMillis() {
		why, err := decode[Why](row.Why)
		return append([]Why{why}, out...), err
	}
	return append([]Why{{Code: WhyInLine, Args: map[string]string{"authority": ca.Name}}}, out...), nil
}

// stateWords are the states of an attempt as sentences have them.
var stateWords = map[IssueState]string{
	IssueWaiting: "waiting for its turn", IssueRequesting: "waiting for the server's key and signing request",
	IssueOrdering: "being ordered", IssueDeploying: "being installed",
}

func nothingInstalled() error {
	return controlplane.Errorf(controlplane.CodeConflict, "See its attempts, and why it is not issued yet.", "No certificate is installed for these names yet")
}
