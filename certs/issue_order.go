package certs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/certs/acme"
	"ostler/certs/preflight"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
)

const (
	// orderTimeout bounds one run of an order's job; an order that is still
	// undecided goes on in the next.
	orderTimeout = 30 * time.Minute
	// maxOrders bounds the orders of one attempt where the CA lets them lapse.
	maxOrders = 3
	// maxTries bounds how often an attempt waits for a CA that does not answer.
	maxTries = 4
)

// ordered is what a run of an order's job brought: the chain, a wait, or the
// reason why there is none.
type ordered struct {
	Issued    bool            `json:"issued"`
	Wait      time.Time       `json:"wait,omitzero"`
	Why       *Why            `json:"why,omitempty"`
	Steps     []Step          `json:"steps"`
	Endpoints []wire.Endpoint `json:"endpoints,omitempty"`
}

// attempt is a run of an order's job.
type attempt struct {
	s     *Service
	row   issueRow
	cert  certRow
	ca    authorityRow
	names []string
	job   string
	steps []Step
	now   time.Time // of the latest transaction
}

// runOrder takes an attempt through its order at the CA, from where it stands.
func (s *Service) runOrder(ctx context.Context, job jobs.Job) (any, error) {
	var p orderParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return nil, fmt.Errorf("certs: order: %w", err)
	}
	a := &attempt{s: s, job: job.ID}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		var ok bool
		var err error
		a.now = tx.Now
		if a.row, a.cert, ok, err = s.openIssue(tx, p.Issue); err != nil {
			return err
		}
		if !ok || a.row.JobID != job.ID {
			return errMoved
		}
		if a.names, err = decode[[]string](a.row.Names); err != nil {
			return err
		}
		a.ca, err = authorityIn(tx, a.row.AuthorityID)
		return err
	})
	if err == nil {
		var out ordered
		if out, err = a.run(ctx); err == nil {
			out.Steps = a.steps
			return out, nil
		}
	}
	if errors.Is(err, errMoved) {
		return ordered{}, nil // it ended, or somebody else has it
	}
	return nil, err
}

func (a *attempt) step(code string, args map[string]string) {
	a.steps = append(a.steps, Step{At: a.now, Code: code, Args: args})
}

// run is what a run brings. Its errors are our own house's: the job comes again.
func (a *attempt) run(ctx context.Context) (ordered, error) {
	if len(a.row.ChainPEM) > 0 { // stored by a run that was killed behind that
		return a.issued(ctx)
	}
	state, err := decode[acme.State](a.row.OrderState)
	if err != nil {
		return ordered{}, err
	}
	acc, out, stop, err := a.before(ctx, state)
	if stop || err != nil {
		return out, err
	}
	free, err := a.s.slots.take(ctx, a.ca.ID, a.s.opts.Concurrent, a.row.Rank)
	if err != nil {
		return ordered{}, err
	}
	defer free()
	for n := 1; ; n++ {
		res, now, err := a.issue(ctx, acc, state)
		var bad *acme.Error
		if errors.As(err, &bad) && bad.Kind == acme.KindOrderGone && n < maxOrders {
			state = acme.State{Requests: now.Requests}
			if out, stop, err := a.again(ctx); stop || err != nil {
				return out, err
			}
			continue
		}
		if err != nil {
			return a.refused(ctx, err)
		}
		return a.keep(ctx, res.Chain)
	}
}

// before is all that is looked at before a CA is asked for an order: limits,
// and the names. Nothing that is in the way costs a request there: where the CA
// was not asked about itself yet in this process, the names are looked at as far
// as they can be without, and once more behind it.
func (a *attempt) before(ctx context.Context, state acme.State) (acc account, out ordered, stop bool, err error) {
	why, err := a.mayOrder(ctx, state.Order == "")
	if err != nil {
		return acc, out, true, err
	}
	if why != nil {
		return acc, held(why), true, nil
	}
	look := a.s.preflight != nil && state.Order == ""
	acc, opened := a.s.known(a.ca)
	if look {
		if out, stop, err = a.look(ctx, acc); stop || err != nil {
			return acc, out, stop, err
		}
	}
	if !opened {
		if acc, err = a.s.account(ctx, a.ca); err != nil {
			out, err = a.refused(ctx, err)
			return acc, out, true, err
		}
		if look && len(acc.dir.CAAIdentities) > 0 {
			if out, stop, err = a.look(ctx, acc); stop || err != nil {
				return acc, out, stop, err
			}
		}
	}
	if look {
		a.step(StepChecked, nil)
	}
	return acc, out, false, nil
}

// look looks at the names; stop says that they stand in the way of an order.
func (a *attempt) look(ctx context.Context, acc account) (out ordered, stop bool, err error) {
	q, err := a.preflight(ctx, acc)
	if err != nil {
		out, err = a.refused(ctx, err)
		return out, true, err
	}
	p, found := preflight.Stops(a.s.preflight.Check(ctx, q))
	if !found {
		return out, false, nil
	}
	if err := ctx.Err(); err != nil {
		return out, true, err
	}
	return ordered{Why: &Why{Code: string(p.Code), Name: p.Name, Args: p.Args, Detail: controlplane.Line(p.Detail, maxDetail)}}, true, a.giveBack(ctx)
}

// held is a limit in the way: what time alone ends is waited for.
func held(why *Why) ordered {
	if !why.Until.Before(Forever) {
		why.Until = time.Time{}
	}
	return ordered{Why: why, Wait: why.Until}
}

// issue asks the engine; state is kept at each step.
func (a *attempt) issue(ctx context.Context, acc account, state acme.State) (acme.Result, acme.State, error) {
	solvers, err := a.solvers(ctx)
	if err != nil {
		return acme.Result{}, state, err
	}
	profile := a.cert.Profile
	if own := a.cert.AuthorityID == a.ca.ID || a.ca.Role != string(RoleFallback); profile == "" || !own {
		profile = a.ca.Profile // the fall-back has profiles of its own
	}
	q := acme.Request{Names: a.names, CSR: a.row.CSR, Profile: profile}
	if a.cert.IssuedBy == a.ca.ID && a.row.DryRun == 0 && a.dir(acc).RenewalInfo {
		q.Replaces = a.cert.AriID
	}
	return acc.engine.Issue(ctx, q, state, acme.Hooks{Save: a.save, Solvers: solvers, Event: a.event})
}

func (a *attempt) dir(acc account) acme.Directory { return acc.dir }

// event writes what the engine says into the history.
func (a *attempt) event(e acme.Event, args map[string]string) {
	code, ok := map[acme.Event]string{acme.EventOrdered: StepNewOrder, acme.EventResumed: StepResumed, acme.EventReplacesDropped: StepReplaced,
		acme.EventReused: StepReused, acme.EventPresented: StepPresented, acme.EventValidated: StepValidated, acme.EventFinalizing: StepFinalizing,
		acme.EventChainNotOffered: StepOtherChain}[e]
	if !ok {
		return
	}
	all := map[string]string{"authority": a.ca.Name}
	if n := args["name"]; n != "" {
		all["name"] = n
	}
	a.step(code, all)
}

// save keeps the engine's state: only while the attempt is still ours. One
// statement compares and writes, so that of two planes one goes on.
func (a *attempt) save(ctx context.Context, st acme.State) error {
	text := encode(st)
	return a.s.db.Write(ctx, func(tx *db.Tx) error {
		if err := keepOrder(tx, a.row, a.job, text, st.Order, int64(st.Requests)); err != nil {
			return err
		}
		if st.Order != a.row.OrderURL && st.Order != "" {
			if err := a.ordered(tx); err != nil {
				return err
			}
		}
		tx.AfterCommit(func() {
			a.row.OrderState, a.row.OrderURL, a.row.Requests, a.now = text, st.Order, int64(st.Requests), tx.Now
			a.row.Revision++
		})
		return nil
	})
}

// keep stores the chain: from now on the attempt has a certificate.
func (a *attempt) keep(ctx context.Context, chain []byte) (ordered, error) {
	leaf, sums, why := readChain(chain, a.row, a.names)
	if why != nil {
		return ordered{Why: why}, a.giveBack(ctx)
	}
	err := a.s.db.Write(ctx, func(tx *db.Tx) error {
		row, ok, err := a.s.openRow(tx, a.row.ID)
		if err != nil {
			return err
		}
		if !ok || row.JobID != a.job {
			return errMoved
		}
		row.ChainPEM, row.Serial, row.Leaf, row.Chain = chain, hex.EncodeToString(leaf.SerialNumber.Bytes()), sums[0], sums[1]
		row.Issuer, row.NotBefore, row.NotAfter = issuerOf(leaf), leaf.NotBefore.UnixMilli(), leaf.NotAfter.UnixMilli()
		if err := db.Save(tx, &row); err != nil {
			return err
		}
		tx.AfterCommit(func() { a.row, a.now = row, tx.Now })
		return Budget{}.Issued(tx, row.ID, row.AuthorityID, a.names)
	})
	if err != nil {
		return ordered{}, err
	}
	return a.issued(ctx)
}

// issued is the good end: where the names are served is looked up for the host.
func (a *attempt) issued(ctx context.Context) (ordered, error) {
	a.step(StepIssued, map[string]string{"authority": a.ca.Name, "until": controlplane.FromMillis(a.row.NotAfter).Format("2 January 2006")})
	endpoints, err := a.s.endpoints(ctx, a.cert)
	return ordered{Issued: true, Endpoints: endpoints}, err
}

func issuerOf(leaf *x509.Certificate) string {
	if leaf.Issuer.CommonName != "" {
		return leaf.Issuer.CommonName
	}
	return fmt.Sprint(leaf.Issuer.Organization)
}

// readChain checks that a chain is for the attempt's key and names, and returns
// its leaf and the hashes of the leaf and of all of it.
func readChain(chain []byte, row issueRow, names []string) (*x509.Certificate, [2]string, *Why) {
	var all []byte
	var leaf *x509.Certificate
	for rest := chain; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, [2]string{}, &Why{Code: WhyWrongChain, Detail: controlplane.Line(err.Error(), maxDetail)}
		}
		if leaf == nil {
			leaf = c
		}
		all = append(all, block.Bytes...)
	}
	if leaf == nil {
		return nil, [2]string{}, &Why{Code: WhyWrongChain, Detail: "there is no certificate in the answer"}
	}
	csr, err := x509.ParseCertificateRequest(row.CSR)
	switch {
	case err != nil || !bytes.Equal(csr.RawSubjectPublicKeyInfo, leaf.RawSubjectPublicKeyInfo):
		return nil, [2]string{}, &Why{Code: WhyWrongChain, Detail: "it is for another key"}
	case !slices.Equal(slices.Sorted(slices.Values(leaf.DNSNames)), slices.Sorted(slices.Values(names))):
		return nil, [2]string{}, &Why{Code: WhyWrongChain, Detail: controlplane.Line(fmt.Sprintf("it is for %v", leaf.DNSNames), maxDetail)}
	}
	one, whole := sha256.Sum256(leaf.Raw), sha256.Sum256(all)
	return leaf, [2]string{hex.EncodeToString(one[:]), hex.EncodeToString(whole[:])}, nil
}

// doneOrder goes on from what a run of an order's job brought.
func (s *Service) doneOrder(tx *db.Tx, job jobs.Job) error {
	row, cert, ok, err := s.openIssue(tx, job.Subject)
	if err != nil || !ok || row.JobID != job.ID {
		return err
	}
	out, ok := jobs.Result[ordered](job)
	if !ok {
		return s.fail(tx, &cert, &row, Why{Code: WhyInternal, Detail: jobDetail(job)})
	}
	addSteps(&row, out.Steps...)
	switch {
	case out.Issued && row.DryRun != 0:
		return s.dryRunGood(tx, &cert, &row)
	case out.Issued:
		if err := s.deploy(tx, cert, &row, out.Endpoints); err != nil {
			return err
		}
		if err := db.Save(tx, &row); err != nil {
			return err
		}
		return s.admit(tx, row.AuthorityID)
	case !out.Wait.IsZero():
		return s.wait(tx, &row, *out.Why, out.Wait)
	case out.Why == nil:
		return s.fail(tx, &cert, &row, Why{Code: WhyInternal})
	}
	return s.fail(tx, &cert, &row, *out.Why)
}

func jobDetail(job jobs.Job) string {
	if job.Failure == nil {
		return string(job.State)
	}
	return controlplane.Line(job.Failure.Detail, maxDetail)
}

// wait has an attempt go back into the line until an instant.
func (s *Service) wait(tx *db.Tx, row *issueRow, why Why, until time.Time) error {
	if err := s.named(tx, row.AuthorityID, &why); err != nil {
		return err
	}
	why.Until = until
	row.State, row.JobID, row.StartAt, row.Why = string(IssueWaiting), "", controlplane.Millis(until), encode(why)
	addStep(tx, row, StepWaiting, map[string]string{"until": until.UTC().Format("2 January 2006 15:04 UTC"), "code": why.Code})
	if err := db.Save(tx, row); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish(topicWatch) })
	return s.admit(tx, row.AuthorityID)
}

// dryRunGood ends a dry run that the staging CA issued: nothing is installed.
func (s *Service) dryRunGood(tx *db.Tx, cert *certRow, row *issueRow) error {
	cert.OpenIssue = ""
	if err := s.end(tx, row, IssueServed, Why{}, StepDryRunGood); err != nil {
		return err
	}
	if err := saveCert(tx, cert); err != nil {
		return err
	}
	return s.admit(tx, row.AuthorityID)
}
