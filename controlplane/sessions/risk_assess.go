package sessions

import (
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets"
)

// reviewed is what this process remembers of reviews.
type reviewed struct {
	rechecked atomic.Int64 // when verdicts were held against names last
	late      atomic.Int64 // what was said of those past their time
	sweep     sweep        // of what the ledger says was stored
}

func (s *Service) registerReviews() {
	s.sight.look, s.sight.searched = s.look, s.searched
	s.onEnded = append(s.onEnded, s.assess)
	s.onStored = append(s.onStored, s.assess)
	s.due = append(s.due, s.dueClosed, s.dueReviews, s.dueDraws, s.dueSweep)
}

// assess works out a session's risk from all that is known of it, and puts it
// into the queue where that is high, or where its day's sample draws it.
func (s *Service) assess(tx *db.Tx, session string) error {
	x, err := s.reviewing(tx, everybody(), session)
	if err != nil {
		return err
	}
	f, err := s.riskFacts(x)
	if err != nil {
		return err
	}
	risk := riskOf(f)
	x.r.RiskScore, x.r.RiskWhy = int64(risk.Score), strings.Join(risk.Why, ",")
	if risk.Score >= reviewFrom && ReviewState(x.r.State) == NotWanted {
		s.want(x, "risk", "")
		if err := s.tell(x, "session.review_wanted", map[string]any{"because": "risk"}, nil); err != nil {
			return err
		}
	}
	if err := s.drawnLate(x); err != nil {
		return err
	}
	return saveReview(tx, x.r)
}

// riskFacts are the facts of a session's risk.
func (s *Service) riskFacts(x *reviewing) (riskFacts, error) {
	at := controlplane.FromMillis
	f := riskFacts{Lacks: split(x.row.Lacks), Login: x.data.Login, Start: at(x.row.StartedAt), Zone: s.opts.Zone, Names: len(namesOf(x.data)),
		Missing: State(x.row.State) == Missing || State(x.row.State) == Unrecorded}
	if x.row.EndedAt > 0 {
		f.Length = at(x.row.EndedAt).Sub(f.Start)
	}
	for _, p := range x.data.Participants {
		f.SharedName = f.SharedName || len(p.Persons) > 1
	}
	lists, err := customersOf(x.tx, everybody(), []string{x.row.ID})
	if err != nil {
		return f, err
	}
	f.BreakGlass = slices.ContainsFunc(lists[x.row.ID], func(c customerRow) bool { return c.GrantKind == "break_glass" })
	recordings, err := s.recordingsOf(x.tx, []string{x.row.ID})
	if err != nil {
		return f, err
	}
	f.Partial = recordings[x.row.ID].Partial != ""
	if f.Commands, err = s.ran(x); err != nil {
		return f, err
	}
	if host := hostOf(x.data.Address); host != "" && x.row.PersonID != "" {
		mark := hex.EncodeToString(s.keeper.Index("sessions.address", host))
		f.NewAddress, err = newAddress(x.tx, x.row.PersonID, mark, x.row)
	}
	return f, err
}

// ran are the commands of a session as far as they are known.
func (s *Service) ran(x *reviewing) ([]string, error) {
	var out []string
	if x.data.Command != "" {
		out = append(out, x.data.Command)
	}
	row, err := commandsOf(x.tx, x.row.ID)
	if err != nil || row.SessionID == "" {
		return out, err
	}
	lines, err := s.openMoments(row, "commands", row.Commands)
	if errors.Is(err, secrets.ErrErased) {
		return out, nil // nobody reads them any more
	}
	if err != nil {
		return nil, err
	}
	moments, err := decodeMoments(lines, nil)
	for _, m := range moments {
		out = append(out, m.Text)
	}
	return out, err
}

// hostOf is an address without its port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// ended is when a session ended, for the day of its sample: one without an end
// counts where it began.
func (r sessionRow) ended() time.Time {
	switch {
	case r.EndedAt > 0:
		return controlplane.FromMillis(r.EndedAt)
	case r.Endless == 1:
		return controlplane.FromMillis(r.StartedAt)
	}
	return time.Time{}
}
