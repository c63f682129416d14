package access

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
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
	resourceHost = "access"      // orders what a host does about logins
	jobHost      = "access.host" // settles what is known of one host anew
	sourceHost   = "host"
	scansAtOnce  = 200
)

// dueScans has hosts looked at whose time has come, each at an instant of its own.
func (s *Service) dueScans(ctx context.Context) error {
	ctx = controlplane.System(ctx, "access.watch")
	var fresh, due []string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if fresh, err = s.newHosts(tx, scansAtOnce); err == nil {
			due, err = dueHosts(tx, scansAtOnce)
		}
		return err
	})
	if err != nil || len(fresh)+len(due) == 0 {
		return wrap("due scans", err)
	}
	if err := s.customersReady(ctx); err != nil {
		return err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		for _, id := range append(fresh, due...) {
			if err := s.scanDue(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("due scans", err)
}

// scanDue has one host looked at, unless another replica did meanwhile. One that
// is looked after no more is forgotten, with all that was found there.
func (s *Service) scanDue(tx *db.Tx, server string) error {
	h, err := hostOf(tx, server)
	if err != nil || h.NextAt > tx.NowMillis() {
		return err
	}
	active, err := s.isActive(tx, server)
	if err != nil {
		return err
	}
	if !active {
		if err := forgetHost(tx, server); err != nil {
			return err
		}
		return s.settleHost(tx, server, false)
	}
	f := fnv.New64a()
	_, _ = f.Write([]byte(server)) // a hash never returns an error
	spread := time.Duration(f.Sum64() % uint64(max(1, s.opts.ScanEvery/5)))
	h.NextAt, h.AskedAt = tx.Now.Add(s.opts.ScanEvery-s.opts.ScanEvery/10+spread).UnixMilli(), tx.NowMillis()
	if err := db.Upsert(tx, &h, "server_id"); err != nil {
		return err
	}
	_, err = s.enqueueScan(tx, server, fmt.Sprintf("%s:%s:%d", wire.ActionAccessScan, server, h.NextAt))
	return err
}

func (s *Service) enqueueScan(tx *db.Tx, server, key string) (jobs.Job, error) {
	return s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionAccessScan), Executor: jobs.Agent, Server: server, Resource: resourceHost, Key: key,
		Supersedes: string(wire.ActionAccessScan) + ":" + server, Subject: server, Params: wire.AccessScanParams{}, ExpiresAt: tx.Now.Add(s.opts.ScanEvery), Title: "job.access_scan"})
}

// doneScan takes in what a host said.
func (s *Service) doneScan(tx *db.Tx, job jobs.Job) error {
	key := findings.AccessHostUnread + ":" + job.Server
	switch job.State {
	case jobs.Succeeded:
	case jobs.Failed, jobs.Rejected:
		because := "it gave no cause"
		if job.Failure != nil {
			because = failureText(*job.Failure)
		}
		return s.hostUnread(tx, key, job.Server, because)
	default:
		return nil // superseded, expired, cancelled: the next one tells
	}
	var scan wire.AccessScan
	if err := json.Unmarshal(job.Result, &scan); err != nil {
		return s.hostUnread(tx, key, job.Server, "its answer cannot be read")
	}
	list, more := waysIn(scan, tx.Now)
	scan.Unread = append(scan.Unread, more...)
	if err := s.keepScan(tx, job.Server, scan, list); err != nil {
		return fmt.Errorf("access: scan: %w", err)
	}
	unread := unreadOf(scan)
	if len(unread) > 0 {
		more := ""
		if n := len(unread) - 3; n > 0 {
			more = fmt.Sprintf(", and %d more", n)
		}
		return s.hostUnread(tx, key, job.Server, "this was not read: "+controlplane.Line(strings.Join(unread[:min(3, len(unread))], "; ")+more, 400))
	}
	return s.findings.Close(tx, key, "everything was read")
}

func failureText(f wire.Failure) string {
	switch f.Cause {
	case wire.CauseUnsupported:
		return "its agent is too old, or cannot do it there"
	case wire.CausePolicy:
		return "the host's own policy does not allow it"
	}
	return controlplane.Line(f.Detail, 200)
}

// unreadOf is what a scan leaves out: with any of it, it is not clean.
func unreadOf(scan wire.AccessScan) []string {
	unread := slices.Clone(scan.Unread)
	if scan.KeysCommand {
		unread = append(unread, "keys that sshd asks a program for (AuthorizedKeysCommand)")
	}
	return unread
}

// hostUnread raises that a host is not known whole.
func (s *Service) hostUnread(tx *db.Tx, key, server, because string) error {
	h, err := hostOf(tx, server)
	if err != nil {
		return err
	}
	args := map[string]string{"where": s.serverName(tx, server), "because": sentence(cmp.Or(because, "it gave no cause"))}
	severity := findings.Unknown
	if h.CleanAt > 0 {
		args["for"] = findings.Ago("en", tx.Now.Sub(controlplane.FromMillis(h.CleanAt)))
	}
	return s.findings.Raise(tx, findings.Finding{Key: key, Group: findings.AccessHostUnread, Kind: findings.AccessHostUnread, Server: server, Subject: server, Severity: severity, Owner: findings.Ops, Args: args, Link: "/servers/" + server})
}

func (s *Service) serverName(tx *db.Tx, server string) string {
	v, err := s.customers.ServerIn(tx, enforcing(), server)
	if err != nil {
		return "a server"
	}
	return v.Name
}

// keepScan makes the ways in that are open on a server what a scan saw.
func (s *Service) keepScan(tx *db.Tx, server string, scan wire.AccessScan, list []wayIn) error {
	h, err := hostOf(tx, server)
	if err != nil {
		return err
	}
	clean := len(unreadOf(scan)) == 0
	first := h.ScannedAt == 0
	rows, err := foundOn(tx, server)
	if err != nil {
		return err
	}
	open := map[string]foundRow{}
	for _, r := range rows {
		open[string(r.Mark)] = r
	}
	d, err := s.loginsIn(tx)
	if err != nil {
		return err
	}
	for _, it := range list {
		mark := s.keeper.Index("access.found", server+"|"+string(it.kind)+"|"+it.same())
		r, known := open[string(mark)]
		delete(open, string(mark))
		if known {
			if err := s.keepSeen(tx, r, it); err != nil {
				return err
			}
			continue
		}
		if err := s.keepNew(tx, server, mark, it, h, first, d); err != nil {
			return err
		}
	}
	for _, r := range open {
		if !clean && r.Kind != string(FoundLogin) {
			continue // it may stand in what was not read
		}
		if err := s.gone(tx, r); err != nil {
			return err
		}
	}
	h.ScannedAt = tx.NowMillis()
	if h.NextAt == 0 {
		h.NextAt = tx.Now.Add(s.opts.ScanEvery).UnixMilli()
	}
	if clean {
		h.CleanAt = tx.NowMillis()
		if err := s.attest(tx, server); err != nil {
			return err
		}
	}
	if err := db.Upsert(tx, &h, "server_id"); err != nil {
		return err
	}
	return s.settleHost(tx, server, first)
}

// keepSeen keeps that a way in is still there, and where it lies by now, which
// says in whose bounds it is.
func (s *Service) keepSeen(tx *db.Tx, r foundRow, it wayIn) error {
	r.SeenAt = tx.NowMillis()
	if it.kind == FoundLogin {
		r.UsedAt = tx.NowMillis()
	}
	d, err := s.openFound(r)
	if err != nil {
		return err
	}
	if d.Home != it.data.Home || d.File != it.data.File {
		d.Home, d.File = it.data.Home, it.data.File
		if err := s.sealFound(&r, d); err != nil {
			return err
		}
	}
	return db.Save(tx, &r)
}

// keepNew keeps a way in that was not there before. A key is a person's only by
// what was said of it: whoever may write an account's key file chooses its place.
func (s *Service) keepNew(tx *db.Tx, server string, mark []byte, it wayIn, h hostRow, first bool, people map[string][]string) error {
	r := foundRow{ID: controlplane.NewID(controlplane.PrefixFoundAccess), Server: server, Kind: string(it.kind), Mark: mark, FirstScan: flag(first),
		FirstAt: tx.NowMillis(), SinceAt: tx.NowMillis(), SeenAt: tx.NowMillis()}
	if h.CleanAt > 0 && it.kind != FoundLogin {
		r.SinceAt = h.CleanAt
	}
	if fingerprint.MatchString(it.data.Fingerprint) {
		r.Print = s.keeper.Index("access.key", it.data.Fingerprint)
		person, err := explainedAs(tx, r.Print)
		if err != nil {
			return err
		}
		r.Person = person
	}
	own := it.kind == FoundLogin || it.kind == FoundAccount
	if ids := people[it.data.Account]; own && r.Person == "" && len(ids) == 1 && !s.sharedLogin(it.data.Account) {
		r.Person = ids[0]
	}
	if err := s.sealFound(&r, it.data); err != nil {
		return err
	}
	if err := db.Insert(tx, &r); err != nil {
		return err
	}
	if it.kind == FoundLogin {
		return nil
	}
	_, err := s.ledger.Append(tx, ledger.Entry{Server: server, Subject: r.ID, Kind: "access.way_found", Data: map[string]any{"kind": r.Kind, "first_scan": first},
		Personal: map[string]string{"account": it.data.Account, "what": it.data.Fingerprint + it.data.Rights}})
	return err
}

// gone notes that a way in is not there any more.
func (s *Service) gone(tx *db.Tx, r foundRow) error {
	r.GoneAt = tx.NowMillis()
	if err := db.Save(tx, &r); err != nil || r.Kind == string(FoundLogin) {
		return err
	}
	if err := s.closeFound(tx, r, "it is not on the server any more"); err != nil {
		return err
	}
	_, err := s.ledger.Append(tx, ledger.Entry{Server: r.Server, Subject: r.ID, Kind: "access.way_gone", Data: map[string]any{"kind": r.Kind}})
	return err
}

func (s *Service) closeFound(tx *db.Tx, r foundRow, cause string) error {
	if err := s.findings.Close(tx, findings.AccessUnexplained+":"+r.ID, cause); err != nil {
		return err
	}
	return s.findings.Close(tx, findings.AccessNotConfirmed+":"+r.ID, cause)
}

// sharedLogin reports whether an account is one that roles give: it is nobody's own.
func (s *Service) sharedLogin(account string) bool {
	return account == "root" || slices.ContainsFunc(s.opts.Roles, func(r Role) bool { return slices.Contains(r.Logins, account) })
}

// loginsIn are the persons of each login, of those who are still here or not.
func (s *Service) loginsIn(tx *db.Tx) (map[string][]string, error) {
	rows, err := peopleRows(tx, enforcing())
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, r := range rows {
		p, err := s.person(r)
		if err != nil {
			return nil, err
		}
		if p.Kind == KindCustomer {
			continue // a customer's people are on that customer's servers by their word alone
		}
		for _, l := range p.Logins {
			out[l] = append(out[l], p.ID)
		}
	}
	return out, nil
}
