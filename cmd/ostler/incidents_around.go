package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/findings"
	"ostler/controlplane/incidents"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

const (
	// aroundPages bounds what is read of one kind on one server, in pages of
	// aroundPage.
	aroundPages, aroundPage = 5, 200
	// aroundMost is after how many moments no further server is read.
	aroundMost = 20_000
	// aroundLong is how long a session may have run before the time that is looked at.
	aroundLong = 24 * time.Hour
)

// incidentAround finds what happened on servers around the time of a case.
type incidentAround struct{ a *App }

// around is one look.
type around struct {
	a        *App
	ctx      context.Context
	scope    policy.Scope
	server   string
	name     string
	from, to time.Time
	out      []incidents.Moment
	unread   incidents.Unread
}

// Around implements incidents.Around.
func (r incidentAround) Around(ctx context.Context, scope policy.Scope, servers []string, from, to time.Time) ([]incidents.Moment, error) {
	x := around{a: r.a, ctx: ctx, scope: scope, from: from, to: to}
	for _, id := range servers {
		x.server, x.name = id, id
		if v, err := r.a.Customers.GetServer(ctx, scope, id); err == nil {
			x.name = v.Name
		}
		if len(x.out) > aroundMost {
			x.unread = append(x.unread, "What happened on further servers is not shown: choose a shorter time.")
			break
		}
		for _, part := range []struct {
			what  string
			needs policy.Permission
			read  func() (whole bool, err error)
		}{{"sessions", policy.SessionRead, x.sessions}, {"logins", policy.SessionRead, x.logins}, {"jobs", policy.JobRead, x.jobs}, {"findings", policy.FindingRead, x.findings}} {
			if _, err := policy.For(ctx, part.needs); err != nil { // a token may be for cases alone
				x.unread = append(x.unread, fmt.Sprintf("The %s of %s are not for you to see.", part.what, x.name))
				continue
			}
			whole, err := part.read()
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case err != nil:
				r.a.log.ErrorContext(ctx, "incidents.around", "what", part.what, "server", id, "err", err)
				x.unread = append(x.unread, fmt.Sprintf("The %s of %s could not be read.", part.what, x.name))
			case !whole:
				x.unread = append(x.unread, fmt.Sprintf("Only the latest %s of %s are shown: there are very many.", part.what, x.name))
			}
		}
	}
	if len(x.unread) > 0 {
		return x.out, x.unread
	}
	return x.out, nil
}

func (x *around) add(at time.Time, kind, text, ref, path string) {
	if !at.Before(x.from) && !at.After(x.to) {
		x.out = append(x.out, incidents.Moment{At: at, Kind: kind, Text: text, Server: x.server, Ref: ref, Path: path})
	}
}

// readPages reads a list page by page, until it ends or a page says that it is
// enough; whole is false where the bound came first.
func readPages(read func(token string) (next string, enough bool, err error)) (whole bool, err error) {
	token := ""
	for range aroundPages {
		next, enough, err := read(token)
		if err != nil || enough || next == "" {
			return true, err
		}
		token = next
	}
	return false, nil
}

func (x *around) sessions() (bool, error) {
	return readPages(func(token string) (string, bool, error) {
		list, next, err := x.a.Sessions.List(x.ctx, x.scope, sessions.Filter{Server: x.server, From: x.from.Add(-aroundLong), To: x.to, Limit: aroundPage, PageToken: token})
		for _, s := range list {
			who := s.PersonName
			if who == "" {
				who = s.User
			}
			path := "/sessions/" + s.ID
			began := fmt.Sprintf("%s began a session on %s as %s", who, x.name, s.Login)
			if len(s.Ground.Lacks) > 0 {
				began += ", without a whole ground for it"
			}
			x.add(s.StartedAt, "session", began+".", s.ID, path)
			if !s.EndedAt.IsZero() {
				x.add(s.EndedAt, "session", fmt.Sprintf("The session of %s on %s ended.", who, x.name), s.ID, path)
			}
		}
		return next, false, err
	})
}

var loginWords = map[sessions.LoginState]string{sessions.Outside: "%s came into %s, and Teleport knows nothing of it.", sessions.CustomersOwn: "%s, of the customer’s own, came into %s.",
	sessions.Awaited: "%s came into %s; whether Teleport knows of it is not known yet.", sessions.Explained: "%s came into %s beside Teleport, as was explained."}

// logins are those that hosts saw; those that are part of a session are left to it.
func (x *around) logins() (bool, error) {
	return readPages(func(token string) (string, bool, error) {
		list, next, err := x.a.Sessions.Logins(x.ctx, x.scope, sessions.LoginFilter{Server: x.server, From: x.from, To: x.to.Add(time.Millisecond), Limit: aroundPage, PageToken: token,
			States: []sessions.LoginState{sessions.Outside, sessions.CustomersOwn, sessions.Awaited, sessions.Explained}})
		for _, l := range list {
			x.add(l.At, "login", fmt.Sprintf(loginWords[l.State], l.Account, x.name), l.ID, "/sessions/logins?server="+x.server)
		}
		return next, false, err
	})
}

// quiet are jobs that only look, again and again: those that went well say nothing.
var quiet = []wire.Action{wire.ActionInventory, wire.ActionCertLook, wire.ActionAccessScan, wire.ActionLoginsScan, wire.ActionList, wire.ActionCatalogue}

var jobNames = map[wire.Action]string{wire.ActionInventory: "Reading the inventory", wire.ActionRepoPrepare: "Making a repository’s keys", wire.ActionRepoInit: "Making a repository", wire.ActionBackup: "A backup",
	wire.ActionList: "Listing a snapshot", wire.ActionDownload: "A download", wire.ActionPutBack: "Putting a file back", wire.ActionCatalogue: "Reading the names of a snapshot", wire.ActionArchive: "A download of files",
	wire.ActionPreview: "A look at what a restore would do", wire.ActionApply: "A restore", wire.ActionUndo: "Taking back a restore", wire.ActionSettle: "Deleting a safety copy", wire.ActionCertRequest: "Making a key",
	wire.ActionCertDeploy: "Installing a certificate", wire.ActionCertLook: "Looking at certificates", wire.ActionCertTake: "Taking a certificate over", wire.ActionCertForget: "Deleting old keys",
	wire.ActionAccessScan: "A look at who can get in", wire.ActionEndLogin: "Ending somebody’s sessions", wire.ActionLoginsScan: "A look at logins"}

var jobEnds = map[jobs.State]string{jobs.Succeeded: "was done", jobs.Failed: "failed", jobs.Interrupted: "was interrupted, and may have had an effect", jobs.Expired: "was not begun in time", jobs.Cancelled: "was stopped by a person",
	jobs.Rejected: "was refused by the host", jobs.Running: "began and is going on"}

func (x *around) jobs() (bool, error) {
	return readPages(func(token string) (string, bool, error) {
		list, next, err := x.a.Jobs.List(x.ctx, x.scope, jobs.Filter{Server: x.server, Limit: aroundPage, PageToken: token})
		enough := false
		for _, j := range list {
			at := j.FinishedAt
			if at.IsZero() {
				at = j.StartedAt
			}
			enough = j.CreatedAt.Before(x.from.Add(-jobs.DefaultExpiry))
			word := jobEnds[j.State]
			if at.IsZero() || word == "" || j.State == jobs.Succeeded && slices.Contains(quiet, wire.Action(j.Kind)) {
				continue
			}
			what := jobNames[wire.Action(j.Kind)]
			if what == "" && j.State == jobs.Succeeded {
				continue // the plane's own upkeep
			}
			if what == "" {
				what = "A job (" + j.Kind + ")"
			}
			x.add(at, "job", what+" on "+x.name+" "+word+".", j.ID, "/jobs/"+j.ID)
		}
		return next, enough, err
	})
}

// findings are those about the server that were opened then, open still or closed.
func (x *around) findings() (bool, error) {
	whole := true
	for _, closed := range []bool{false, true} {
		all, err := readPages(func(token string) (string, bool, error) {
			list, next, err := x.a.Findings.List(x.ctx, x.scope, findings.Filter{Server: x.server, Closed: closed, Limit: aroundPage, PageToken: token})
			enough := false
			for _, f := range list {
				title, _, _ := findings.Sentence("en", f)
				x.add(f.OpenedAt, "finding", "Found: "+title+".", f.ID, f.Link)
				if closed {
					x.add(f.ClosedAt, "finding", "Settled: "+title+".", f.ID, f.Link)
					enough = f.ClosedAt.Before(x.from) // the latest closed come first
				}
			}
			return next, enough, err
		})
		if err != nil {
			return whole, err
		}
		whole = whole && all
	}
	return whole, nil
}
