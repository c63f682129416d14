package incidents

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

const (
	jobFreeze = "incidents.freeze"
	jobThaw   = "incidents.thaw"
	// freezeTries is how often holds are tried: a fault of an hour passes.
	freezeTries = 30
	// freezeBack is how long before a case was noticed its data is kept from,
	// where nobody knows since when it happened.
	freezeBack = 30 * 24 * time.Hour
	// freezeWarn is how long before its end a freeze is spoken of.
	freezeWarn = 7 * 24 * time.Hour
	// maxFreeze bounds one ground: then it is looked at again.
	maxFreeze = 2 * 366 * 24 * time.Hour
)

type freezeParams struct {
	Case string `json:"case"`
}

// Frozen is what of a case is kept from being deleted.
type Frozen struct {
	// Since is from when on data is kept, Until when it is let go of; both zero
	// where nothing was frozen yet.
	Since, Until time.Time
	Ground       string   // why beyond the first days
	Held         []string // what is held, in words; in a drill, what would be
	Failed       string   // why it could not be held yet
	ThawedAt     time.Time
	Drill        bool
}

// FrozenOf says what of a case is kept. Permission: incident.read, of staff.
func (s *Service) FrozenOf(ctx context.Context, scope policy.Scope, id string) (out Frozen, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		c, err := s.caseIn(tx, scope, id)
		if err != nil {
			return err
		}
		if c.Drill {
			out = s.wouldFreeze(tx, c)
			return nil
		}
		row, ok, err := freezeOf(tx, c.ID)
		if err != nil || !ok {
			return err
		}
		out, err = s.frozen(row, c)
		return err
	})
	return out, wrap("frozen", err)
}

func (s *Service) frozen(row freezeRow, c Case) (f Frozen, err error) {
	at := controlplane.FromMillis
	f = Frozen{Since: at(row.SinceAt), Until: at(row.UntilAt), Ground: c.FrozenGround, ThawedAt: at(row.ThawedAt)}
	held, err := s.open("", "incident_freezes", "held", row.CaseID, row.Held)
	if err == nil && held != "" {
		err = json.Unmarshal([]byte(held), &f.Held)
	}
	if err != nil {
		return f, fmt.Errorf("freeze %s: %w", row.CaseID, err)
	}
	f.Failed, err = s.open("", "incident_freezes", "failed", row.CaseID, row.Failed)
	return f, err
}

// wouldFreeze is what a drill would keep.
func (s *Service) wouldFreeze(tx *db.Tx, c Case) Frozen {
	n := len(concerned(c))
	return Frozen{Since: freezeSince(c), Until: later(c.OpenedAt, tx.Now).Add(s.opts.Freeze), Drill: true,
		Held: []string{"A drill keeps nothing. It would keep recordings and logs of " + count(n, "customer") + " on " + count(len(c.Servers), "server") + "."}}
}

// freezeSince is from when on a case's data is kept.
func freezeSince(c Case) time.Time {
	if !c.OccurredFrom.IsZero() {
		return c.OccurredFrom
	}
	at := c.OpenedAt
	if !c.DetectedAt.IsZero() && c.DetectedAt.Before(at) {
		at = c.DetectedAt
	}
	return at.Add(-freezeBack)
}

// concerned are the customers of a case who were not shown to be none of it.
func concerned(c Case) (ids []string) {
	for _, a := range c.Affected {
		if a.State != Cleared {
			ids = append(ids, a.Customer)
		}
	}
	return ids
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// freezeAffected has the data of whoever comes into a case kept.
func (s *Service) freezeAffected(tx *db.Tx, c Case, a Affected) error {
	if c.Drill || a.State == Cleared {
		return nil
	}
	return s.freezeLater(tx, c.ID, strconv.Itoa(len(concerned(c))))
}

// freezeLater has what a case asks for held by a job; why tells apart what is
// asked for at one instant.
func (s *Service) freezeLater(tx *db.Tx, incident, why string) error {
	ask := freezeAsk{tx, fmt.Sprintf("%s:%s:%d:%s", jobFreeze, incident, tx.NowMillis(), why)}
	if was := s.freezeAsked.Swap(&ask); was != nil && *was == ask {
		return nil // thousands of customers may come into a case in one transaction
	}
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobFreeze, Executor: jobs.Plane, Resource: "incident:" + incident, Key: ask.key,
		Supersedes: jobFreeze + ":" + incident, Subject: incident, Params: freezeParams{incident}, MaxAttempts: freezeTries, Title: "job.incident_freeze"})
	return err
}

// freezeAsk is what a transaction asked for last.
type freezeAsk struct {
	tx  *db.Tx
	key string
}

// runFreeze holds what a case's row asks for. It may run again.
func (s *Service) runFreeze(ctx context.Context, job jobs.Job) (any, error) {
	var p freezeParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return nil, fmt.Errorf("incidents: freeze: %w", err)
	}
	ctx = asSystem(ctx)
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	var row freezeRow
	var c Case
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) { row, c, err = s.beginFreeze(tx, p.Case); return err })
	if err != nil || c.ID == "" || row.ThawedAt > 0 {
		return nil, wrap("freeze", err)
	}
	if s.deps.Holds == nil {
		return nil, s.endFreeze(ctx, row, c, nil, "Nothing is held: this control plane has nothing to hold with.")
	}
	held, err := s.deps.Holds.Freeze(ctx, everyone(), c.ID, c.Servers, controlplane.FromMillis(row.SinceAt), controlplane.FromMillis(row.UntilAt), "Case "+c.Number)
	if err != nil {
		if werr := s.endFreeze(ctx, row, c, nil, "It could not be held yet, and is tried again."); werr != nil {
			return nil, werr
		}
		return nil, fmt.Errorf("incidents: freeze: %w", err)
	}
	return nil, s.endFreeze(ctx, row, c, held, "")
}

// beginFreeze writes down what is to be kept; the zero Case is nothing.
func (s *Service) beginFreeze(tx *db.Tx, incident string) (row freezeRow, c Case, err error) {
	if c, err = s.caseIn(tx, everyone(), incident); err != nil || c.Drill || c.State == Merged {
		return row, Case{}, err
	}
	row, ok, err := freezeOf(tx, c.ID)
	if err != nil || ok && row.ThawedAt > 0 {
		return row, c, err
	}
	since := freezeSince(c).UnixMilli()
	switch {
	case !ok:
		row = freezeRow{CaseID: c.ID, SinceAt: since, UntilAt: tx.Now.Add(s.opts.Freeze).UnixMilli(), FrozenAt: tx.NowMillis(), ByID: actorOf(tx.Context()).ID}
	case since < row.SinceAt:
		row.SinceAt = since
	}
	if err := db.Upsert(tx, &row, "case_id"); err != nil {
		return row, c, err
	}
	return row, c, setFrozen(tx, c.ID, row.UntilAt)
}

// endFreeze writes down what is held, and has whom it concerns told.
func (s *Service) endFreeze(ctx context.Context, asked freezeRow, c Case, held []string, failed string) error {
	list, err := json.Marshal(held)
	if err != nil {
		return wrap("freeze", err)
	}
	return wrap("freeze", s.db.Write(ctx, func(tx *db.Tx) error {
		row, ok, err := freezeOf(tx, c.ID)
		if err != nil || !ok || row.ThawedAt > 0 {
			return err
		}
		if row.Failed, err = s.seal("", "incident_freezes", "failed", row.CaseID, failed); err != nil {
			return err
		}
		if failed != "" {
			return db.Save(tx, &row)
		}
		if row.Held, err = s.seal("", "incident_freezes", "held", row.CaseID, string(list)); err != nil {
			return err
		}
		told := parted[string](row.Customers)
		for _, id := range concerned(c) {
			if err := s.frozenFor(tx, c, id, told, asked); err != nil {
				return err
			}
		}
		row.Customers = strings.Join(distinct(append(told, concerned(c)...)), ",")
		if err := db.Save(tx, &row); err != nil {
			return err
		}
		if err := s.enter(tx, c.ID, "incident.frozen", map[string]any{"since": instant(asked.SinceAt), "until": instant(asked.UntilAt)}, map[string]string{"held": string(list)}); err != nil {
			return err
		}
		for _, f := range s.onFrozen {
			if err := f(tx, c); err != nil {
				return err
			}
		}
		return nil
	}))
}

// frozenFor enters in a customer's ledger that data of theirs is kept: once for each end.
func (s *Service) frozenFor(tx *db.Tx, c Case, customer string, told []string, f freezeRow) error {
	if slices.Contains(told, customer) {
		return nil
	}
	_, err := s.ledger.Append(tx, ledger.Entry{Customer: customer, Subject: c.ID, Kind: "incident.frozen", Data: map[string]any{"since": instant(f.SinceAt), "until": instant(f.UntilAt)}})
	return err
}

func instant(ms int64) string { return controlplane.Instant(controlplane.FromMillis(ms)) }

// Freeze keeps a case's data longer than the first 30 days: with a ground and an
// end. Permission: incident.write. Errors: invalid, not found, conflict in a drill.
func (s *Service) Freeze(ctx context.Context, scope policy.Scope, id string, until At, ground string) (out Case, err error) {
	if ground, err = textField("/ground", ground, maxWhy, true); err != nil {
		return Case{}, err
	}
	if err := s.ready(ctx); err != nil {
		return Case{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := caseRowIn(tx, scope, id)
		if err != nil {
			return err
		}
		switch {
		case c.Drill == 1:
			return conflict("See what it would keep.", "A drill keeps nothing")
		case State(c.State) == Merged:
			return conflict("Do it there.", "This case goes on in another one")
		}
		end, err := s.freezeEnd(tx, c, until)
		if err != nil {
			return err
		}
		if err := s.freezeUntil(tx, &c, end, ground); err != nil {
			return err
		}
		out, err = s.caseIn(tx, scope, c.ID)
		return err
	})
	return out, wrap("freeze", err)
}

// freezeEnd reads the end that somebody wrote.
func (s *Service) freezeEnd(tx *db.Tx, c caseRow, until At) (time.Time, error) {
	if until == "" {
		return time.Time{}, invalid("/until", "Say until when.")
	}
	end, err := s.when("/until", until, zoneNamed(c.Zone), tx.Now.Add(2*maxFreeze))
	switch {
	case err != nil:
		return end, err
	case !end.After(tx.Now):
		return end, invalid("/until", "This is over already.")
	case end.UnixMilli() <= c.FrozenUntil:
		return end, invalid("/until", "It is kept until then already. To let go of it sooner, let go of it.")
	case end.After(tx.Now.Add(maxFreeze)):
		return end, invalid("/until", "At most two years at a time: then the ground is looked at again.")
	}
	return end, nil
}

func (s *Service) freezeUntil(tx *db.Tx, c *caseRow, end time.Time, ground string) error {
	d, err := s.dataOf(*c)
	if err != nil {
		return err
	}
	row, ok, err := freezeOf(tx, c.ID)
	if err != nil {
		return err
	}
	if !ok || row.ThawedAt > 0 {
		row = freezeRow{CaseID: c.ID, SinceAt: freezeSince(plainCase(*c, d, tx.Now)).UnixMilli(), FrozenAt: tx.NowMillis()}
	}
	row.UntilAt, row.ByID, row.ToldAt, row.Customers = end.UnixMilli(), actorOf(tx.Context()).ID, 0, ""
	if err := db.Upsert(tx, &row, "case_id"); err != nil {
		return err
	}
	c.FrozenUntil, d.FrozenGround = end.UnixMilli(), ground
	if err := s.saveCase(tx, c, d); err != nil {
		return err
	}
	if err := s.findings.Close(tx, frozenFinding(c.ID), "it is kept longer"); err != nil {
		return err
	}
	if err := s.enter(tx, c.ID, "incident.frozen", map[string]any{"until": controlplane.Instant(end), "asked": true}, map[string]string{"ground": ground}); err != nil {
		return err
	}
	return s.freezeLater(tx, c.ID, "asked")
}

func frozenFinding(id string) string { return findings.IncidentFrozenEnd + ":" + id }
