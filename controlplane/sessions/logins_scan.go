package sessions

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
)

const (
	resourceLogins = "logins"        // orders what a host reads of its own records
	loginsFirst    = 24 * time.Hour  // how far back the first look goes
	loginsOverlap  = 5 * time.Minute // how far back each further one
	loginsSilent   = time.Hour       // without an answer: nothing is known any more
	loginsAgain    = 24 * time.Hour  // how long what was not read is asked for again
	scansAtOnce    = 200
)

func (s *Service) registerLogins() {
	s.jobs.Handle(string(wire.ActionLoginsScan), jobs.Handler{Done: s.doneLogins})
	if s.cluster != nil { // where nothing is recorded, every login is outside
		s.due = append(s.due, s.dueLogins, s.dueAwaited)
	}
}

// dueLogins has hosts asked who logged in, each at an instant of its own.
func (s *Service) dueLogins(ctx context.Context) error {
	ctx = controlplane.System(ctx, "sessions.watch")
	var due []string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { due, err = s.dueLoginHosts(tx, scansAtOnce); return err })
	if err != nil || len(due) == 0 {
		return wrap("due logins", err)
	}
	if err := s.customersReady(ctx); err != nil {
		return err
	}
	return wrap("due logins", s.db.Write(ctx, func(tx *db.Tx) error {
		for _, id := range due {
			if err := s.askLogins(tx, id); err != nil {
				return err
			}
		}
		return nil
	}))
}

// askLogins has one host asked, unless another replica did meanwhile. One that is
// looked after no more is forgotten.
func (s *Service) askLogins(tx *db.Tx, server string) error {
	h, err := loginHost(tx, server)
	if err != nil || h.NextAt > tx.NowMillis() {
		return err
	}
	active, err := s.activeServer(tx, server)
	if err != nil {
		return err
	}
	if !active {
		if err := tx.Exec("DELETE FROM session_login_hosts WHERE server_id = ?", server).Error; err != nil {
			return err
		}
		return s.closeEach(tx, unreadKey(server), "the server is looked after no more")
	}
	f := fnv.New64a()
	_, _ = f.Write([]byte(server)) // a hash never returns an error
	spread := time.Duration(f.Sum64() % uint64(max(1, s.opts.LoginsEvery/5)))
	h.NextAt = tx.Now.Add(s.opts.LoginsEvery - s.opts.LoginsEvery/10 + spread).UnixMilli()
	since := tx.Now.Add(-loginsFirst)
	if h.CursorAt > 0 {
		since = controlplane.FromMillis(h.CursorAt).Add(-loginsOverlap)
	}
	if err := db.Upsert(tx, &h, "server_id"); err != nil {
		return err
	}
	name := string(wire.ActionLoginsScan) + ":" + server
	_, err = s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionLoginsScan), Executor: jobs.Agent, Server: server, Resource: resourceLogins, Key: fmt.Sprintf("%s:%d", name, h.NextAt),
		Supersedes: name, Subject: server, Params: wire.LoginsScanParams{Since: since.UnixMilli()}, ExpiresAt: tx.Now.Add(max(s.opts.LoginsEvery, 10*time.Minute)), Title: "job.logins_scan"})
	return err
}

// doneLogins takes in what a host said of who came in.
func (s *Service) doneLogins(tx *db.Tx, job jobs.Job) error {
	h, err := loginHost(tx, job.Server)
	if err != nil {
		return err
	}
	var scan wire.LoginsScan
	var asked wire.LoginsScanParams
	switch {
	case job.State == jobs.Failed || job.State == jobs.Rejected || job.State == jobs.Interrupted:
		return s.loginsUnread(tx, h, whyUnread(job.Failure))
	case job.State != jobs.Succeeded: // it did not answer; the next one is asked
		return s.loginsSilent(tx, h)
	case json.Unmarshal(job.Result, &scan) != nil || json.Unmarshal(job.Params, &asked) != nil:
		return s.loginsUnread(tx, h, "its answer cannot be read")
	}
	if err := s.keepLogins(tx, job.Server, scan.Logins); err != nil {
		return fmt.Errorf("sessions: logins: %w", err)
	}
	return s.readOn(tx, h, asked.Since, scan)
}

// readOn moves on in a server's records, and says what was not read of them.
func (s *Service) readOn(tx *db.Tx, h loginHostRow, since int64, scan wire.LoginsScan) error {
	to := min(scan.To, tx.NowMillis())
	if scan.More && to <= since { // asking again tells no more of this instant
		if err := s.loginsGap(tx, h.ServerID, since, since+1); err != nil {
			return err
		}
		h.moved(since, to, tx.NowMillis(), true, false)
		return s.loginsUnread(tx, h, "this was not read: more logins in one instant than fit into an answer")
	}
	unread := len(scan.Unread) > 0 || len(scan.Sources) == 0
	if unread && h.UnreadFrom == 0 {
		h.UnreadFrom, h.TroubleSince = since, tx.NowMillis()
	}
	from := h.UnreadFrom
	gap := h.moved(since, to, tx.NowMillis(), scan.More, unread)
	if gap {
		if err := s.loginsGap(tx, h.ServerID, from, to); err != nil {
			return err
		}
	}
	if unread {
		what := "its own records are not there"
		if len(scan.Unread) > 0 {
			what = "this was not read: " + controlplane.Line(strings.Join(scan.Unread[:min(3, len(scan.Unread))], "; "), 400)
		}
		return s.loginsUnread(tx, h, "from "+moment(controlplane.FromMillis(from))+" to "+moment(controlplane.FromMillis(to))+" "+what)
	}
	begins := cmp.Or(scan.From, since)
	if h.CleanAt > 0 && since <= h.CleanAt && scan.From <= h.CleanAt {
		begins = min(begins, h.CleanAt)
	}
	if err := readWhole(tx, h.ServerID, begins, to, time.Minute.Milliseconds()); err != nil {
		return err
	}
	h.CleanAt = max(h.CleanAt, to)
	if h.UnreadFrom > 0 { // a stretch before it still is not
		return db.Upsert(tx, &h, "server_id")
	}
	h.Trouble, h.TroubleSince = "", 0
	if err := db.Upsert(tx, &h, "server_id"); err != nil {
		return err
	}
	return s.closeEach(tx, unreadKey(h.ServerID), "everything was read")
}

// moved says from where on a server's records are read next, after an answer for
// the time from since to to. What was not read is asked for again, from its
// beginning, until it was read; after a day of it, it is a gap, and what comes
// after it goes on.
func (h *loginHostRow) moved(since, to, now int64, more, unread bool) (gap bool) {
	overlap := loginsOverlap.Milliseconds()
	whole := !unread && (h.UnreadFrom == 0 || since <= h.UnreadFrom)
	if more {
		h.NextAt, h.CursorAt = now, max(h.CursorAt, to)
		if next := max(to, since+1); next <= since+overlap || h.UnreadFrom > 0 { // the overlap alone may fill an answer
			h.CursorAt = next + overlap
		}
		if whole && h.UnreadFrom > 0 {
			h.UnreadFrom = to // so far it was read now
		}
		return false
	}
	gap = !whole && now-h.TroubleSince >= loginsAgain.Milliseconds()
	if !whole && !gap {
		h.CursorAt = h.UnreadFrom + overlap
		return false
	}
	h.UnreadFrom, h.CursorAt = 0, max(h.CursorAt, to)
	return gap
}

// loginsGap enters that nobody will know who came in on a server in a time.
func (s *Service) loginsGap(tx *db.Tx, server string, from, to int64) error {
	on, err := s.newMatcher(tx).customersAt(server, to)
	if err != nil {
		return err
	}
	if len(on) == 0 {
		on = []string{""}
	}
	for _, c := range on {
		if _, err := s.ledger.Append(tx, ledger.Entry{Customer: c, Server: server, Subject: server, Kind: "session.logins_gap",
			Data: map[string]any{"from": controlplane.Instant(controlplane.FromMillis(from)), "to": controlplane.Instant(controlplane.FromMillis(to))}}); err != nil {
			return err
		}
	}
	return nil
}

// whyUnread says why a host did not tell, a sentence without its full stop.
func whyUnread(f *wire.Failure) string {
	switch {
	case f == nil:
		return "it gave no cause"
	case f.Cause == wire.CauseUnsupported:
		return "its agent is too old, or cannot do it there"
	case f.Cause == wire.CausePolicy:
		return "the host's own policy does not allow it"
	}
	return cmp.Or(controlplane.Line(f.Detail, 200), "it gave no cause")
}

func unreadKey(server string) string { return findings.SessionLoginsUnread + ":" + server }

// loginsSilent says of a host that has not answered for long that nothing is known of it.
func (s *Service) loginsSilent(tx *db.Tx, h loginHostRow) error {
	quiet := max(loginsSilent, 3*s.opts.LoginsEvery)
	if h.Trouble != "" || h.CleanAt > 0 && tx.NowMillis()-h.CleanAt < quiet.Milliseconds() {
		return nil
	}
	if h.CleanAt == 0 && h.TroubleSince == 0 { // it never told: it has as long
		h.TroubleSince = tx.NowMillis()
		return db.Upsert(tx, &h, "server_id")
	}
	if h.CleanAt == 0 && tx.NowMillis()-h.TroubleSince < quiet.Milliseconds() {
		return nil
	}
	return s.loginsUnread(tx, h, "its agent does not answer")
}

// loginsUnread raises that a host's records are not known whole.
func (s *Service) loginsUnread(tx *db.Tx, h loginHostRow, because string) error {
	h.Trouble = because
	if h.TroubleSince == 0 {
		h.TroubleSince = tx.NowMillis()
	}
	if err := db.Upsert(tx, &h, "server_id"); err != nil {
		return err
	}
	args := map[string]string{"where": s.serverName(tx, h.ServerID), "because": capital(because)}
	if h.CleanAt > 0 {
		args["for"] = findings.Ago("en", tx.Now.Sub(controlplane.FromMillis(h.CleanAt)))
	}
	return s.findings.Raise(tx, findings.Finding{Key: unreadKey(h.ServerID), Group: findings.SessionLoginsUnread, Kind: findings.SessionLoginsUnread, Server: h.ServerID, Subject: h.ServerID,
		Severity: findings.Unknown, Owner: findings.Ops, Args: args, Link: "/servers/" + h.ServerID})
}

func (s *Service) serverName(tx *db.Tx, server string) string {
	v, err := s.customers.ServerIn(tx, ofFeed(), server)
	if err != nil {
		return "a server"
	}
	return v.Name
}

// capital is a text that begins with a capital letter.
func capital(text string) string {
	if text == "" || text[0] < 'a' || text[0] > 'z' {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// keepLogins stores the logins that are new, and judges each.
func (s *Service) keepLogins(tx *db.Tx, server string, list []wire.SeenLogin) error {
	marks := make([]string, len(list))
	for i, l := range list {
		marks[i] = s.loginMark(server, l)
	}
	known, err := knownLogins(tx, server, marks)
	if err != nil {
		return err
	}
	m := s.newMatcher(tx)
	j, err := s.newJudge(tx)
	if err != nil {
		return err
	}
	for i, l := range list {
		if known[marks[i]] || !LoginKind(l.Kind).Valid() || l.At <= 0 || l.At > tx.Now.Add(s.opts.Deep).UnixMilli() {
			continue
		}
		known[marks[i]] = true
		on, err := m.customersAt(server, l.At)
		if err != nil {
			return err
		}
		r := loginRow{ID: controlplane.NewID(controlplane.PrefixLogin), ServerID: server, Mark: marks[i], AccountMark: hex.EncodeToString(s.keeper.Index("session.account", server+"|"+l.Account)),
			SealOwner: sealOwner(on), Kind: l.Kind, State: string(Awaited), Teleport: flag(l.Teleport), Weak: flag(l.Weak), At: l.At, SeenAt: tx.NowMillis()}
		d := loginData{Account: clip(l.Account), Target: clip(l.Target), From: clip(l.From), Key: clip(l.Key), Method: clip(l.Method), Line: clip(l.Line)}
		if err := s.sealLogin(&r, d); err != nil {
			return err
		}
		if err := db.Insert(tx, &r); err != nil {
			return err
		}
		for _, c := range on {
			if err := db.Insert(tx, &loginCustomerRow{LoginID: r.ID, CustomerID: c, At: l.At}); err != nil {
				return err
			}
		}
		if err := j.judge(r, d); err != nil {
			return err
		}
	}
	return j.raise()
}

// loginMark is the keyed hash of what tells a login from another one.
func (s *Service) loginMark(server string, l wire.SeenLogin) string {
	return hex.EncodeToString(s.keeper.Index("session.login", fmt.Sprintf("%s|%s|%s|%s|%d|%s", server, l.Kind, l.Account, l.Target, l.At, l.Line)))
}
