package sessions

import (
	"cmp"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
)

// intake is a page on its way into the database.
type intake struct {
	s    *Service
	tx   *db.Tx
	r    *reading
	p    *page
	m    *matcher
	open map[string]*opened // by mark
	list []*opened          // in the order in which they came up
	days map[grouped]bool   // where commands without a recording ran
}

// opened is a session that events of the page are of.
type opened struct {
	row   sessionRow
	facts facts
	was   facts // before the page
	fresh bool
	saw   int64 // the newest of its events
}

// takeIn stores a page: events as they came, what they make of sessions, and the
// entries and findings of it.
func (s *Service) takeIn(tx *db.Tx, r *reading, p *page) error {
	in := &intake{s: s, tx: tx, r: r, p: p, open: map[string]*opened{}, days: map[grouped]bool{}}
	in.m = s.newMatcher(tx)
	feed, err := feedIn(tx)
	if err != nil {
		return err
	}
	feed.Cluster = p.cluster
	feed.Events += int64(len(p.events))
	feed.Watermark = max(feed.Watermark, min(p.newest, tx.NowMillis()))
	if err := saveFeed(tx, feed); err != nil {
		return err
	}
	if err := s.holdBack(tx, p.bad); err != nil || len(p.events) == 0 {
		return err
	}
	for _, step := range []func() error{in.unknown, in.released, in.load, in.steps, in.keep, in.save, in.judge} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// unknown reports errKnown where an event of the page is here already.
func (in *intake) unknown() error {
	ids := make([]string, len(in.p.events))
	for i, c := range in.p.events {
		ids[i] = c.ID
	}
	known, err := knownEvents(in.tx, in.p.cluster, ids)
	if err == nil && len(known) > 0 {
		return errKnown
	}
	return err
}

// released takes out of quarantine what could be read now.
func (in *intake) released() error {
	var ids []string
	for _, c := range in.p.events {
		ids = append(ids, c.ID)
	}
	held, err := quarantinedAs(in.tx, in.p.cluster, ids)
	if err != nil || len(held) == 0 {
		return err
	}
	for _, r := range held {
		if err := resolveQuarantine(in.tx, r.ID, "", nil); err != nil {
			return err
		}
	}
	return in.s.judgeQuarantine(in.tx)
}

// load opens the sessions that the page is of. Who leaves may carry the id of
// another session than the one they are in.
func (in *intake) load() error {
	var marks []string
	for _, c := range in.p.events {
		marks = append(marks, c.row.Mark)
	}
	if err := in.loadMarks(distinct(marks)); err != nil {
		return err
	}
	var more []string
	for i := range in.p.events {
		c := &in.p.events[i]
		if c.said.Type != typeLeave || in.open[c.row.Mark] != nil || in.begunHere(c.row.Mark) {
			continue
		}
		mark, err := in.leaves(c)
		if err != nil {
			return err
		}
		c.row.Mark, more = mark, append(more, mark)
	}
	return in.loadMarks(distinct(more))
}

// begunHere reports whether the page itself has the beginning of a session.
func (in *intake) begunHere(mark string) bool {
	return slices.ContainsFunc(in.p.events, func(c coming) bool { return c.row.Mark == mark && c.said.begins() })
}

// leaves is the session that somebody left who named another one.
func (in *intake) leaves(c *coming) (string, error) {
	for i := len(in.p.events) - 1; i >= 0; i-- {
		e := in.p.events[i]
		joins := e.said.Type == typeStart || e.said.Type == typeJoin
		if joins && e.row.At <= c.row.At && e.said.User == c.said.User && e.said.Host == c.said.Host {
			return e.row.Mark, nil
		}
	}
	return markOfLeave(in.tx, in.p.cluster, c.said.Host, in.s.userMark(c.said.User), c.row.At)
}

func (in *intake) loadMarks(marks []string) error {
	if len(marks) == 0 {
		return nil
	}
	var rows []sessionRow
	if err := oneOf(in.tx, "mark", marks).Where("cluster = ?", in.p.cluster).Find(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		f, err := in.s.factsOf(r)
		if err != nil {
			return err
		}
		in.open[r.Mark] = &opened{row: r, facts: f, was: f}
	}
	return nil
}

// factsOf are a session's row as the state machine takes it.
func (s *Service) factsOf(r sessionRow) (facts, error) {
	d, err := s.dataOf(r)
	return facts{sessionData: d, Mark: r.Mark, SID: r.SID, Host: r.Host, Kind: Kind(r.Kind), State: State(r.State), StartedAt: r.StartedAt, EndedAt: r.EndedAt,
		DueAt: r.DueAt, Endless: r.Endless == 1}, err
}

// steps has every event say what it says of its session.
func (in *intake) steps() error {
	due := in.tx.Now.Add(in.s.opts.Grace).UnixMilli()
	for _, c := range in.p.events {
		mark := c.row.Mark
		o := in.open[mark]
		if o == nil {
			if mark == "" || !c.said.begins() || c.said.Type == typeUpload && in.early(c.row.At) {
				continue
			}
			o = &opened{fresh: true, facts: facts{Mark: mark, SID: c.said.SID}}
			in.open[mark] = o
		}
		if !slices.Contains(in.list, o) {
			o.saw = 0
			in.list = append(in.list, o)
		}
		o.facts = step(o.facts, c.said, c.row.At, due)
		if c.said.Type != typeUpload {
			o.saw = max(o.saw, c.row.At)
		}
	}
	return nil
}

// early reports whether the recording of a session that ended before we read
// anything comes now: there was nothing to read of that session.
func (in *intake) early(at int64) bool {
	return at < in.r.began+in.s.opts.Overlap.Milliseconds()
}

// keep stores the events as they came.
func (in *intake) keep() error {
	rows := map[string][]eventRow{}
	first := map[string]int64{}
	for _, c := range in.p.events {
		b := c.row.BatchID
		rows[b] = append(rows[b], c.row)
		first[b] = earlier(first[b], c.row.At)
	}
	for _, b := range in.p.batches {
		b.ReadAt = in.tx.NowMillis()
		if err := db.Insert(in.tx, &b); err != nil {
			return err
		}
		if err := insertEvents(in.tx, in.p.cluster, b.ID, rows[b.ID]); err != nil {
			return err
		}
		_, err := in.s.ledger.Append(in.tx, ledger.Entry{Subject: b.ID, Kind: "session.events_read", Data: map[string]any{"cluster": in.p.cluster,
			"count": b.Events, "from": controlplane.Instant(controlplane.FromMillis(first[b.ID])), "to": controlplane.Instant(controlplane.FromMillis(b.LastAt)), "sha256": b.SHA256}})
		if err != nil {
			return err
		}
	}
	return nil
}

// save stores what became of sessions, each with its entries.
func (in *intake) save() error {
	for _, o := range in.list {
		if err := in.saveOne(o); err != nil {
			return err
		}
	}
	return nil
}

func (in *intake) saveOne(o *opened) error {
	s, tx, f := in.s, in.tx, &o.facts
	if o.fresh {
		o.row = sessionRow{ID: controlplane.NewID(controlplane.PrefixStaffSession), Cluster: in.p.cluster, Mark: f.Mark, SID: f.SID, FirstSeen: tx.NowMillis(), Version: 1}
	}
	again := o.fresh || f.Host != o.was.Host || f.StartedAt != o.was.StartedAt || !slices.Equal(usersOf(f.Participants), usersOf(o.was.Participants))
	if !again {
		came, err := in.m.newcomers(o.row, *f)
		if err != nil {
			return err
		}
		again = came
	}
	var found matched
	var had []string
	if again {
		var err error
		if found, err = in.m.match(*f); err != nil {
			return err
		}
		o.row.ServerID, o.row.PersonID, o.row.Lacks = found.server, found.person, found.lacks()
		if o.fresh {
			o.row.SealOwner = sealOwner(found.customerIDs())
		}
		f.PersonName, f.Participants = found.name, found.named(f.Participants)
	}
	if s.erased(o.row.SealOwner) { // it went on after the customer's key was destroyed
		o.row.SealOwner = ""
	}
	o.row.fill(*f)
	if err := s.sealData(&o.row, f.sessionData); err != nil {
		return err
	}
	if o.fresh {
		if err := db.Insert(tx, &o.row); err != nil {
			return err
		}
	} else if err := saveSession(tx, &o.row); err != nil {
		return err
	}
	if !again {
		return in.follow(o, nil)
	}
	if !o.fresh {
		var err error
		if had, err = customerIDs(tx, o.row.ID); err != nil {
			return err
		}
		if err := clearMatch(tx, o.row.ID); err != nil {
			return err
		}
	}
	if err := s.keepMatch(tx, o.row, found); err != nil {
		return err
	}
	if err := in.welcome(o, had, found); err != nil {
		return err
	}
	return in.follow(o, &found)
}

// fill takes over what the state machine says.
func (r *sessionRow) fill(f facts) {
	r.Kind, r.State, r.Host = string(f.Kind), string(f.State), f.Host
	r.StartedAt, r.EndedAt, r.DueAt, r.Endless = f.StartedAt, f.EndedAt, f.DueAt, flag(f.Endless)
}

// follow writes the entries of what happened, and has done what follows of it.
// found is whose it was, where that was looked up.
func (in *intake) follow(o *opened, found *matched) error {
	s, tx, f := in.s, in.tx, o.facts
	customers, err := in.customers(o, found)
	if err != nil {
		return err
	}
	if o.fresh {
		if err := s.enter(tx, o.row, customers, "session.begun", begunData(o.row), f); err != nil {
			return err
		}
	}
	ended := f.EndedAt > 0 && o.was.EndedAt == 0
	if ended {
		data := map[string]any{"ended_at": controlplane.Instant(controlplane.FromMillis(f.EndedAt)), "participants": len(f.Participants)}
		if err := s.enter(tx, o.row, customers, "session.ended", data, facts{}); err != nil {
			return err
		}
		if err := reopenLogins(tx, o.row.ID, f.EndedAt+loginLeeway.Milliseconds()); err != nil {
			return err
		}
	}
	if f.State == Uploaded && o.was.State != Uploaded {
		if err := s.wantRecording(tx, o.row.ID); err != nil {
			return err
		}
	}
	if err := in.findings(o, customers, found); err != nil {
		return err
	}
	if !ended {
		return nil
	}
	for _, tell := range s.onEnded {
		if err := tell(tx, o.row.ID); err != nil {
			return err
		}
	}
	return nil
}

// customers are those of a session.
func (in *intake) customers(o *opened, found *matched) ([]string, error) {
	if found != nil {
		return found.customerIDs(), nil
	}
	return customerIDs(in.tx, o.row.ID)
}

// enter appends an entry about a session for each of its customers, or the
// company's own where it has none. Who it was is sealed, and in a customer's entry
// it is the person and not the name at the cluster; the zero facts name nobody.
func (s *Service) enter(tx *db.Tx, row sessionRow, customers []string, kind string, data map[string]any, f facts) error {
	if len(customers) == 0 {
		customers = []string{""}
	}
	data["sid"] = row.SID
	for _, c := range customers {
		e := ledger.Entry{Customer: c, Server: row.ServerID, Subject: row.ID, Kind: kind, Data: data}
		if f.User != "" {
			e.Personal = map[string]string{"person": cmp.Or(f.PersonName, "nobody whom we know"), "login": f.Login}
			if c == "" {
				e.Personal["user"] = f.User
			}
			if acting := f.acting(); acting != "" {
				e.Personal["acting"] = acting
			}
		}
		if _, err := s.ledger.Append(tx, e); err != nil {
			return err
		}
	}
	return nil
}

// acting are the names of whoever acted under another one's name.
func (f facts) acting() string {
	var names []string
	for _, p := range f.Participants {
		if p.Mode == modeImpersonator {
			names = append(names, cmp.Or(p.Name, "nobody whom we know"))
		}
	}
	return joined(distinct(names))
}

func usersOf(list []Participant) (users []string) {
	for _, p := range list {
		users = append(users, p.User)
	}
	return users
}

// grouped is where commands ran in a day that left no recording.
type grouped struct {
	server, host string
	day          int64 // its beginning
}

func dayOf(ms int64) int64 {
	return controlplane.FromMillis(ms).Truncate(24 * time.Hour).UnixMilli()
}
