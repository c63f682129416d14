package sessions

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
)

// loginLeeway is how far apart a host and the cluster may tell of one login.
const loginLeeway = 2 * time.Minute

// dueAwaited judges logins of which the cluster's log should have told by now.
func (s *Service) dueAwaited(ctx context.Context) error {
	ctx = controlplane.System(ctx, "sessions.watch")
	return wrap("awaited logins", s.judgeLogins(ctx, func(tx *db.Tx) ([]string, error) {
		feed, err := feedIn(tx)
		if err != nil {
			return nil, err
		}
		return awaitedLogins(tx, s.toldBy(feed), alarmsAtOnce)
	}))
}

// toldBy is the latest instant of a login that the log has told of, if it ever does.
func (s *Service) toldBy(feed feedRow) int64 {
	return feed.ReadTo - (s.opts.Grace + loginLeeway).Milliseconds()
}

// judgeOutside looks again at logins outside: a session of theirs may have come late.
func (s *Service) judgeOutside(ctx context.Context) error {
	return wrap("logins outside", s.judgeLogins(ctx, func(tx *db.Tx) ([]string, error) {
		return outsideSince(tx, tx.Now.Add(-2*s.opts.Deep).UnixMilli(), scansAtOnce)
	}))
}

// judgeLogins judges the logins that find finds.
func (s *Service) judgeLogins(ctx context.Context, find func(tx *db.Tx) ([]string, error)) error {
	var ids []string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { ids, err = find(tx); return err })
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := s.customersReady(ctx); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		j, err := s.newJudge(tx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			r, err := loginIn(tx, ofFeed(), id)
			if err != nil {
				return err
			}
			d, err := s.openLogin(r)
			if err != nil {
				return err
			}
			if err := j.judge(r, d); err != nil {
				return err
			}
		}
		return j.raise()
	})
}

// judge decides what logins are, and gathers the findings of it.
type judge struct {
	s      *Service
	tx     *db.Tx
	toldBy int64
	around map[string][]opening // sessions of a server around a minute
	used   map[string]int       // how many sign-ins a session explains already
	raises map[accountOn]string // accounts whose finding is to be looked at, with one login of each
}

// opening is a session as logins are compared with it.
type opening struct {
	row   sessionRow
	login string
	joins []int64 // when others joined it
	until int64   // it explains nothing later
}

// accountOn is an account of a server, by its mark.
type accountOn struct{ server, account string }

func (s *Service) newJudge(tx *db.Tx) (*judge, error) {
	feed, err := feedIn(tx)
	return &judge{s: s, tx: tx, toldBy: s.toldBy(feed), around: map[string][]opening{}, used: map[string]int{}, raises: map[accountOn]string{}}, err
}

// judge decides on one login that is awaited or outside.
func (j *judge) judge(r loginRow, d loginData) error {
	was := LoginState(r.State)
	if was != Awaited && was != Outside {
		return nil
	}
	session, err := j.session(r, d)
	if err != nil {
		return err
	}
	switch {
	case session != "" || r.Teleport == 1:
		r.State, r.SessionID = string(Matched), session
	case r.At > j.toldBy:
		return nil // the cluster may still tell
	default:
		own, err := j.s.lists.LetIn(j.tx, r.ServerID, d.Account, d.Key, controlplane.FromMillis(r.At))
		if err != nil {
			return err
		}
		if r.State = string(Outside); own {
			r.State = string(CustomersOwn)
		}
	}
	if r.State == string(was) {
		return nil
	}
	if err := db.Save(j.tx, &r); err != nil {
		return err
	}
	if was == Outside || LoginState(r.State) == Outside {
		j.raises[accountOn{r.ServerID, r.AccountMark}] = r.ID
	}
	if LoginState(r.State) != Outside {
		return nil
	}
	return j.s.enterLogin(j.tx, r, "session.login_outside", map[string]string{"account": d.Account, "from": d.From, "key": d.Key})
}

// enterLogin appends an entry about a login for each customer of its server.
func (s *Service) enterLogin(tx *db.Tx, r loginRow, kind string, personal map[string]string) error {
	on, err := loginCustomers(tx, r.ID)
	if err != nil {
		return err
	}
	if len(on) == 0 {
		on = []string{""}
	}
	for name, v := range personal {
		if v == "" {
			delete(personal, name)
		}
	}
	for _, c := range on {
		if s.erased(c) {
			continue
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Customer: c, Server: r.ServerID, Subject: r.ID, Kind: kind,
			Data: map[string]any{"kind": r.Kind, "at": controlplane.Instant(controlplane.FromMillis(r.At))}, Personal: personal}); err != nil {
			return err
		}
	}
	return nil
}

// session is the session of the cluster that a login is of: one of the same
// account that began then, the nearest that has not explained as many as it can,
// or, for whoever became another account, one that ran then.
func (j *judge) session(r loginRow, d loginData) (string, error) {
	list, err := j.openings(r)
	if err != nil {
		return "", err
	}
	leeway := loginLeeway.Milliseconds()
	var near []opening
	for _, o := range list {
		if o.login != d.Account {
			continue
		}
		if LoginKind(r.Kind) == LoginSudo && r.At >= o.row.StartedAt-leeway && r.At <= o.until {
			return o.row.ID, nil
		}
		if r.At >= o.row.StartedAt-leeway && r.At <= o.row.StartedAt+leeway || o.joined(r.At) {
			near = append(near, o)
		}
	}
	if LoginKind(r.Kind) == LoginSudo {
		return "", nil
	}
	slices.SortStableFunc(near, func(a, b opening) int { return cmp.Compare(apartFrom(a, r.At), apartFrom(b, r.At)) })
	for _, o := range near {
		used, known := j.used[o.row.ID]
		if !known {
			if used, err = signedIn(j.tx, o.row.ID); err != nil {
				return "", err
			}
		}
		if used < 1+len(o.joins) {
			j.used[o.row.ID] = used + 1
			return o.row.ID, nil
		}
		j.used[o.row.ID] = used
	}
	return "", nil
}

// apartFrom is how far a session's beginning is from an instant.
func apartFrom(o opening, at int64) int64 { return max(o.row.StartedAt-at, at-o.row.StartedAt) }

// joined reports whether somebody joined the session around an instant.
func (o opening) joined(at int64) bool {
	leeway := loginLeeway.Milliseconds()
	return slices.ContainsFunc(o.joins, func(j int64) bool { return at >= j-leeway && at <= j+leeway })
}

// openings are the sessions of a login's server around it.
func (j *judge) openings(r loginRow) (list []opening, err error) {
	minute := r.At / time.Minute.Milliseconds()
	key := fmt.Sprintf("%s|%d", r.ServerID, minute)
	if list, known := j.around[key]; known {
		return list, nil
	}
	rows, err := sessionsAround(j.tx, r.ServerID, minute*time.Minute.Milliseconds(), (loginLeeway + time.Minute).Milliseconds())
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		data, err := j.s.dataOf(row)
		if err != nil {
			return nil, err
		}
		o := opening{row: row, login: data.Login}
		if o.until, err = j.until(row); err != nil {
			return nil, err
		}
		for _, p := range data.Participants {
			if at := controlplane.Millis(p.Joined); at > 0 && p.User != data.User && p.Mode != modeImpersonator {
				o.joins = append(o.joins, at)
			}
		}
		list = append(list, o)
	}
	j.around[key] = list
	return list, nil
}

// endlessLeeway is how long after its last event a session without an end still
// explains what was done.
const endlessLeeway = 5 * time.Minute

// until is until when a session explains that somebody became another account.
func (j *judge) until(row sessionRow) (int64, error) {
	switch {
	case row.EndedAt > 0:
		return row.EndedAt + loginLeeway.Milliseconds(), nil
	case row.Endless == 0:
		return math.MaxInt64, nil // it runs
	}
	last, err := lastEventOf(j.tx, row.Cluster, row.Mark)
	return max(last, row.StartedAt) + endlessLeeway.Milliseconds(), err
}

// raise raises or closes the findings of the accounts that something changed of.
func (j *judge) raise() error {
	for a, login := range j.raises {
		if err := j.s.raiseOutside(j.tx, a, login); err != nil {
			return err
		}
	}
	return nil
}

// raiseOutside raises that an account of a server is used past the cluster: one
// finding for each customer, however often; or closes it.
func (s *Service) raiseOutside(tx *db.Tx, a accountOn, login string) error {
	key := findings.SessionLoginOutside + ":" + a.server + ":" + a.account
	n, last, err := outsideOf(tx, a.server, a.account)
	if err != nil {
		return err
	}
	if n == 0 {
		return s.closeEach(tx, key, "each of them was explained, or is part of a session")
	}
	d, err := s.openLogin(last[0])
	if err != nil {
		return err
	}
	on, err := loginCustomers(tx, last[0].ID)
	if err != nil {
		return err
	}
	count := "One login"
	if n > 1 {
		count = fmt.Sprintf("%d logins", n)
	}
	return s.raiseEach(tx, on, findings.Finding{Key: key, Kind: findings.SessionLoginOutside, Server: a.server, Subject: last[0].ID, Severity: findings.Warn, Owner: findings.Ops,
		Link: linkSessions + "/logins?server=" + a.server,
		Args: map[string]string{"where": s.serverName(tx, a.server), "what": d.Account, "count": count, "at": moment(controlplane.FromMillis(last[0].At)), "because": howTheyCame(LoginKind(last[0].Kind), d)}})
}

// howTheyCame is how somebody came in, a sentence without its full stop.
func howTheyCame(k LoginKind, d loginData) string {
	how := "The server's own sshd let them in"
	switch {
	case k == LoginConsole:
		return "They signed in at the machine itself, or at its console"
	case k == LoginSudo && d.Target != "":
		return "They became " + d.Target + " by sudo"
	case k == LoginSudo:
		return "They used sudo"
	case d.Key != "":
		how += ", with the key " + d.Key
	case d.Method != "":
		how += ", by " + d.Method
	}
	if d.From != "" {
		how += ", from " + d.From
	}
	return how
}
