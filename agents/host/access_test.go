package host_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"ostler/agents/host/hosttest"
	"ostler/agents/wire"
)

func TestAccessActions(t *testing.T) {
	var ended []wire.EndLoginParams
	many := make([]wire.HostKey, 30000)
	for i := range many {
		many[i] = wire.HostKey{Account: "ada", Fingerprint: "SHA256:" + strings.Repeat("x", 43), Comment: strings.Repeat("c", 120)}
	}
	helper := &hosttest.Helper{
		OnAccess: func(context.Context) (wire.AccessScan, error) {
			return wire.AccessScan{Accounts: []wire.HostAccount{{Name: "root"}, {Name: "ada", UID: 1000}}, Keys: many}, nil
		},
		OnEndLogins: func(_ context.Context, p wire.EndLoginParams) (wire.EndedLogins, error) {
			ended = append(ended, p)
			return wire.EndedLogins{Ended: 1, Left: 2}, nil
		},
	}
	r := newRig(t, helper)
	stop := r.start()
	defer stop()

	r.plane.Offer(wire.Envelope{Job: "job_scan", Action: wire.ActionAccessScan, Resource: "access", Params: params(t, wire.AccessScanParams{})})
	got := decode[wire.AccessScan](t, r.plane.Result("job_scan").Data)
	if len(got.Keys) == 0 || len(got.Keys) >= len(many) || !slices.Contains(got.Unread, "more than fits into one answer") {
		t.Errorf("a scan that does not fit: got %d keys, unread %q", len(got.Keys), got.Unread)
	}

	r.plane.Offer(wire.Envelope{Job: "job_end", Action: wire.ActionEndLogin, Resource: "access", Params: params(t, wire.EndLoginParams{Account: "root", TeleportUser: "ada"})})
	if got, want := decode[wire.EndedLogins](t, r.plane.Result("job_end").Data), (wire.EndedLogins{Ended: 1, Left: 2}); got != want {
		t.Errorf("end: got %+v, want %+v", got, want)
	}
	for i, p := range []wire.EndLoginParams{{Account: "root"}, {TeleportUser: "ada"}} {
		job := "job_nobody" + string(rune('a'+i))
		r.plane.Offer(wire.Envelope{Job: job, Action: wire.ActionEndLogin, Resource: "access", Params: params(t, p)})
		if got := r.plane.Rejected(job); got.Cause != wire.CausePolicy {
			t.Errorf("%+v: got %+v", p, got)
		}
	}
	if len(ended) != 1 {
		t.Errorf("ended: got %+v, want one", ended)
	}
}

func TestLoginsAction(t *testing.T) {
	many := make([]wire.SeenLogin, 30000)
	for i := range many {
		many[i] = wire.SeenLogin{Kind: "ssh", Account: "ada", From: strings.Repeat("x", 120), At: int64(i)}
	}
	var asked wire.LoginsScanParams
	r := newRig(t, &hosttest.Helper{OnLogins: func(_ context.Context, p wire.LoginsScanParams) (wire.LoginsScan, error) {
		asked = p
		return wire.LoginsScan{Logins: many, Sources: []string{"wtmp"}, To: 1 << 40}, nil
	}})
	stop := r.start()
	defer stop()
	r.plane.Offer(wire.Envelope{Job: "job_logins", Action: wire.ActionLoginsScan, Resource: "logins", Params: params(t, wire.LoginsScanParams{Since: 7})})
	got := decode[wire.LoginsScan](t, r.plane.Result("job_logins").Data)
	n := len(got.Logins)
	if asked.Since != 7 || n == 0 || n >= len(many) || !got.More || got.Logins[0].At != 0 || got.To != got.Logins[n-1].At {
		t.Errorf("logins that do not fit: got %d until %d, more %v; want the oldest, and until when they go", n, got.To, got.More)
	}
}

func TestAccessByPolicy(t *testing.T) {
	r := newRig(t, &hosttest.Helper{})
	r.policy("actions: [inventory.collect, access.scan]")
	stop := r.start()
	defer stop()
	r.plane.Offer(wire.Envelope{Job: "job_end", Action: wire.ActionEndLogin, Resource: "access", Params: params(t, wire.EndLoginParams{Account: "root", TeleportUser: "ada"})})
	if got := r.plane.Rejected("job_end"); got.Cause != wire.CausePolicy {
		t.Errorf("got %+v", got)
	}
}
