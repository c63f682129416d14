package certs

import (
	"fmt"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
)

// answerFor is how long a host answers challenges after it was asked for a
// signing request: an order may wait that long for a limit.
const answerFor = 7 * 24 * time.Hour

// requestLife is how long a request waits for a server that is silent.
const requestLife = 30 * 24 * time.Hour

// start says what an attempt is for.
type start struct {
	reason    Reason
	dry       bool
	campaign  string
	revokeOld bool // once the new one is served
	anew      bool // never install again what was issued before
}

// Ranks order the line at a CA; what failed before stands behind all that did
// not: a broken name holds no good one up.
const (
	rankCompromise = iota
	rankExpiring
	rankPerson
	rankNew
	rankRenewal
	rankReplacement
	rankFailed = 10
)

// expiring is how near its end a certificate goes before others; one of a short
// life, in its last sixth.
const expiring = 7 * 24 * time.Hour

// ends reports whether what is installed is near its end, or behind it.
func (r certRow) ends(now time.Time) bool {
	left := time.Duration(r.NotAfter-now.UnixMilli()) * time.Millisecond
	return r.NotAfter > 0 && left < min(expiring, time.Duration(r.NotAfter-r.NotBefore)*time.Millisecond/6)
}

func rankOf(cert certRow, o start, now time.Time) int64 {
	rank := rankRenewal
	switch {
	case o.reason == ReasonCompromise:
		return rankCompromise
	case cert.ends(now):
		rank = rankExpiring
	case o.reason == ReasonForced || o.dry:
		rank = rankPerson
	case cert.NotAfter == 0:
		rank = rankNew
	case o.reason == ReasonReplacement:
		rank = rankReplacement
	}
	if cert.Attempts > 0 {
		rank += rankFailed
	}
	return int64(rank)
}

// begin starts an attempt at a certificate that has none open, and saves the
// certificate. The zero issue stands for: there is no authority yet.
func (s *Service) begin(tx *db.Tx, cert *certRow, o start) (issueRow, error) {
	ca, ok, err := s.choose(tx, *cert, o.dry)
	if err != nil {
		return issueRow{}, err
	}
	if !ok {
		cert.Why = encode(Why{Code: WhyNoAuthority})
		cert.NextTry = tx.Now.Add(time.Hour).UnixMilli()
		return issueRow{}, saveCert(tx, cert)
	}
	a, _ := controlplane.ActorFrom(tx.Context())
	cert.Round++
	row := issueRow{ID: controlplane.NewID(controlplane.PrefixIssue), CustomerID: cert.CustomerID, CertificateID: cert.ID, ServerID: cert.ServerID,
		AuthorityID: ca.ID, Round: cert.Round, Reason: string(o.reason), State: string(IssueRequesting), Names: cert.Names, KeyType: cert.KeyType,
		Rank: rankOf(*cert, o, tx.Now), CampaignID: o.campaign, StartedBy: a.ID, StartedAt: tx.NowMillis(), Steps: "[]", RevokeOld: flag(o.revokeOld), DryRun: flag(o.dry)}
	addStep(tx, &row, StepStarted, nil)
	cert.OpenIssue = row.ID
	if _, err := s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Server: row.ServerID, Subject: cert.ID, Kind: "certificate.attempt_started",
		Data: map[string]any{"issue": row.ID, "reason": row.Reason, "authority": ca.ID, "dry_run": o.dry}}); err != nil {
		return row, err
	}
	if ca.Role == string(RoleFallback) && cert.AuthorityID != ca.ID {
		addStep(tx, &row, StepFallback, map[string]string{"authority": ca.Name})
	}
	if done, err := s.installAgain(tx, cert, &row, o); done || err != nil {
		return row, err
	}
	if err := s.askHost(tx, *cert, &row, ca); err != nil {
		return row, err
	}
	if err := db.Insert(tx, &row); err != nil {
		return row, err
	}
	return row, saveCert(tx, cert)
}

// askHost has the host make the round's key and a signing request.
func (s *Service) askHost(tx *db.Tx, cert certRow, row *issueRow, ca authorityRow) error {
	names, err := cert.names()
	if err != nil {
		return err
	}
	params := wire.CertRequestParams{Certificate: cert.ID, Folder: cert.Folder, Round: row.Round, Names: names, Key: wire.KeyType(cert.KeyType)}
	if Challenge(cert.Challenge) == ChallengeAgent {
		params.Thumbprint, params.AnswerUntil = ca.Thumbprint, tx.Now.Add(answerFor).UnixMilli()
	}
	job, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionCertRequest), Executor: jobs.Agent, Server: row.ServerID, Customer: row.CustomerID,
		Resource: resource(cert.ID), Key: string(wire.ActionCertRequest) + ":" + row.ID, Subject: row.ID, Params: params,
		Supersedes: keysOf(cert.ID), ExpiresAt: tx.Now.Add(requestLife), Title: "job.certificate_request"})
	if err != nil {
		return fmt.Errorf("certs: ask the host: %w", err)
	}
	row.JobID = job.ID
	addStep(tx, row, StepAsked, nil)
	return nil
}

// resource orders the jobs of one certificate.
func resource(cert string) string { return "certificate:" + cert }

// installAgain has what was issued last, and not served, installed once more:
// a server that could not take a certificate costs no second one.
func (s *Service) installAgain(tx *db.Tx, cert *certRow, row *issueRow, o start) (bool, error) {
	if o.dry || o.anew || cert.Attempts == 0 && cert.State == string(StateNew) {
		return false, nil
	}
	last, err := company[issueRow](tx, "started_at DESC, id DESC", 1, "certificate_id = ? AND serial <> '' AND dry_run = 0", cert.ID)
	if err != nil || len(last) == 0 {
		return false, err
	}
	l := last[0]
	left := time.Duration(l.NotAfter-tx.NowMillis()) * time.Millisecond
	whole := time.Duration(l.NotAfter-l.NotBefore) * time.Millisecond
	if l.State == string(IssueServed) || l.Names != cert.Names || l.KeyType != cert.KeyType || left < whole/2 {
		return false, nil
	}
	if why, err := decode[Why](l.Why); err != nil || why.Code == WhyKeyMissing || why.Code == WhyChainRefused {
		return false, err
	}
	if why, err := blocked(tx, l.SPKI); why != nil || err != nil {
		return false, err
	}
	cert.Round--
	row.Round, row.CSR, row.SPKI, row.ChainPEM, row.Serial, row.Leaf, row.Chain, row.Issuer = l.Round, l.CSR, l.SPKI, l.ChainPEM, l.Serial, l.Leaf, l.Chain, l.Issuer
	row.NotBefore, row.NotAfter, row.AuthorityID, row.State = l.NotBefore, l.NotAfter, l.AuthorityID, string(IssueDeploying)
	addStep(tx, row, StepOldKept, nil)
	endpoints, err := s.endpointsOf(tx, *cert, l)
	if err != nil {
		return false, err
	}
	if err := s.deploy(tx, *cert, row, endpoints); err != nil {
		return false, err
	}
	if err := db.Insert(tx, row); err != nil {
		return false, err
	}
	return true, saveCert(tx, cert)
}

// blocked says why a public key must not be used any more.
func blocked(tx *db.Tx, spki string) (*Why, error) {
	rows, err := company[keyRow](tx, "spki", 1, "spki = ? AND blocked_at > 0", spki)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &Why{Code: WhyKeyBlocked}, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// maxSteps bounds the history of one attempt; the newest are kept.
const maxSteps = 400

// addStep writes a line into an attempt's history.
func addStep(tx *db.Tx, row *issueRow, code string, args map[string]string) {
	addSteps(row, Step{At: tx.Now, Code: code, Args: args})
}

func addSteps(row *issueRow, more ...Step) {
	steps, err := decode[[]Step](row.Steps)
	if err != nil {
		steps = nil // an attempt goes on without its history
	}
	if steps = append(steps, more...); len(steps) > maxSteps {
		steps = steps[len(steps)-maxSteps:]
	}
	row.Steps = encode(steps)
}

// attemptAt is when the next attempt is due, zero where none is.
func (r certRow) attemptAt() int64 {
	at := max(r.RenewAt, r.NextTry)
	if r.Attempts > 0 || r.IssuedRound == 0 {
		at = r.NextTry
	}
	if r.EndedAt > 0 || r.OpenIssue != "" || at == 0 || r.PausedUntil >= Forever.UnixMilli() {
		return 0
	}
	return max(at, r.PausedUntil)
}

// due is when anything is to be done about the certificate by itself.
func (r certRow) due() int64 {
	if r.EndedAt > 0 {
		return 0
	}
	var at int64
	for _, v := range []int64{r.attemptAt(), r.PollAt, r.LookAt, r.NoticeAt} {
		if v > 0 && (at == 0 || v < at) {
			at = v
		}
	}
	return at
}

// saveCert saves a certificate with the instant at which it is due.
func saveCert(tx *db.Tx, row *certRow) error {
	row.DueAt = row.due()
	return db.Save(tx, row)
}

func saveNew(tx *db.Tx, row *certRow) error {
	row.DueAt = row.due()
	return db.Insert(tx, row)
}

// errMoved says that an attempt is somebody else's by now.
var errMoved = fmt.Errorf("certs: the attempt has moved on")

// open is an attempt that goes on, with its certificate. ok is false where it
// has ended: what comes in late is ignored.
func (s *Service) openIssue(tx *db.Tx, id string) (row issueRow, cert certRow, ok bool, err error) {
	if row, ok, err = s.openRow(tx, id); err != nil || !ok {
		return row, cert, false, err
	}
	certs, err := company[certRow](tx, "id", 1, "id = ?", row.CertificateID)
	if err != nil || len(certs) == 0 {
		return row, cert, false, err
	}
	return row, certs[0], true, nil
}

// openRow is openIssue without the certificate.
func (s *Service) openRow(tx *db.Tx, id string) (row issueRow, ok bool, err error) {
	rows, err := company[issueRow](tx, "id", 1, "id = ?", id)
	if err != nil || len(rows) == 0 || rows[0].EndedAt > 0 {
		return row, false, err
	}
	return rows[0], true, nil
}
