package host_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/agents/host/helper"
	"ostler/agents/host/hosttest"
	"ostler/agents/wire"
)

// gate is a backup that waits until it is let go or its context ends.
type gate struct {
	started chan string
	open    chan struct{}
}

func newGate() *gate { return &gate{started: make(chan string, 20), open: make(chan struct{})} }

func (g *gate) backup(ctx context.Context, b helper.Backup, r helper.Report) (wire.BackupResult, error) {
	g.started <- b.Paths[0]
	r(wire.Progress{Step: "backup", Done: 1})
	select {
	case <-g.open:
		return wire.BackupResult{Outcome: wire.BackupComplete, SnapshotID: "snap"}, nil
	case <-ctx.Done():
		return wire.BackupResult{}, ctx.Err()
	}
}

func TestJobRuns(t *testing.T) {
	g := newGate()
	h := &hosttest.Helper{OnBackup: g.backup}
	r := newRig(t, h)
	r.start()
	r.prepared()
	epoch := r.plane.Offer(r.backupEnvelope("job_1"))
	if got := r.plane.Accepted("job_1"); got.Epoch != epoch {
		t.Errorf("accept: got epoch %d, want %d", got.Epoch, epoch)
	}
	<-g.started
	p := r.plane.Wait("progress", func(f wire.Frame) bool { return f.Type == wire.FrameProgress && f.Progress.Step == "backup" })
	if p.Progress.Job != "job_1" || p.Progress.Epoch != epoch || p.Progress.Seq == 0 {
		t.Errorf("progress: got %+v", p.Progress)
	}
	journal, err := os.ReadFile(filepath.Join(r.state, "journal.jsonl"))
	if err != nil || !strings.Contains(string(journal), `"job":"job_1","state":"started"`) {
		t.Errorf("journal of a running job: got %q, %v", journal, err)
	}
	close(g.open)
	res := r.plane.Result("job_1")
	if res.Outcome != wire.Succeeded || res.Epoch != epoch || res.EndedAt < res.StartedAt {
		t.Errorf("got %+v", res)
	}
	if got := decode[wire.BackupResult](t, res.Data); got.SnapshotID != "snap" {
		t.Errorf("data: got %+v", got)
	}
	if log := r.logs.String(); strings.Contains(log, "/srv") {
		t.Error("the log has a path of the plan")
	}
}

func TestOffersRefused(t *testing.T) {
	r := newRig(t, &hosttest.Helper{})
	r.policy("paths: [/srv]\nstores: ['https://127.0.0.1:1']\nactions: [backup.run, snapshot.list, restore.download, restore.put_back, repository.prepare]")
	r.start()
	_, other, _ := ed25519.GenerateKey(nil)
	backup := func(p wire.BackupParams) wire.Envelope {
		p.Repository = repo
		return wire.Envelope{Action: wire.ActionBackup, Params: params(t, p)}
	}
	sign := r.plane.Sign
	elsewhere := repo
	elsewhere.StoreURL = "https://evil.example"
	bad := repo
	bad.Name = "../other"
	tests := []struct {
		name string
		make func(job string) wire.SignedEnvelope
		want wire.Cause
	}{
		{"another key", func(job string) wire.SignedEnvelope {
			s, _ := wire.Sign(other, wire.Envelope{Job: job, Server: hosttest.Server, Action: wire.ActionBackup})
			return s
		}, wire.CauseSignature},
		{"changed after signing", func(job string) wire.SignedEnvelope {
			s := sign(wire.Envelope{Job: job, Action: wire.ActionBackup})
			s.Payload = []byte(strings.Replace(string(s.Payload), "backup.run", "snapshot.list", 1))
			return s
		}, wire.CauseSignature},
		{"another server's", func(job string) wire.SignedEnvelope {
			return sign(wire.Envelope{Job: job, Server: "srv_other", Action: wire.ActionBackup})
		}, wire.CauseSignature},
		{"unknown action", func(job string) wire.SignedEnvelope { return sign(wire.Envelope{Job: job, Action: "shell.run"}) }, wire.CauseUnsupported},
		{"unreadable parameters", func(job string) wire.SignedEnvelope {
			return sign(wire.Envelope{Job: job, Action: wire.ActionBackup, Params: json.RawMessage(`{"paths":5}`)})
		}, wire.CauseUnsupported},
		{"action not allowed", func(job string) wire.SignedEnvelope {
			return sign(wire.Envelope{Job: job, Action: wire.ActionInventory})
		}, wire.CausePolicy},
		{"path not allowed", func(job string) wire.SignedEnvelope {
			e := backup(wire.BackupParams{Paths: []string{"/srv/a", "/etc"}})
			e.Job = job
			return sign(e)
		}, wire.CausePolicy},
		{"path with dots", func(job string) wire.SignedEnvelope {
			e := backup(wire.BackupParams{Paths: []string{"/srv/../etc"}})
			e.Job = job
			return sign(e)
		}, wire.CausePolicy},
		{"no path", func(job string) wire.SignedEnvelope {
			e := backup(wire.BackupParams{})
			e.Job = job
			return sign(e)
		}, wire.CausePolicy},
		{"simulated time", func(job string) wire.SignedEnvelope {
			e := backup(wire.BackupParams{Paths: []string{"/srv"}, SnapshotTime: 5})
			e.Job = job
			return sign(e)
		}, wire.CausePolicy},
		{"store not allowed", func(job string) wire.SignedEnvelope {
			return sign(wire.Envelope{Job: job, Action: wire.ActionRepoPrepare, Params: params(t, wire.RepoPrepareParams{Repository: elsewhere})})
		}, wire.CausePolicy},
		{"repository outside its user", func(job string) wire.SignedEnvelope {
			return sign(wire.Envelope{Job: job, Action: wire.ActionRepoPrepare, Params: params(t, wire.RepoPrepareParams{Repository: bad})})
		}, wire.CausePolicy},
		{"download not allowed", func(job string) wire.SignedEnvelope {
			return sign(wire.Envelope{Job: job, Action: wire.ActionDownload, Params: params(t, wire.DownloadParams{Repository: repo, Path: []byte("/etc/shadow")})})
		}, wire.CausePolicy},
		{"put back not allowed", func(job string) wire.SignedEnvelope {
			return sign(wire.Envelope{Job: job, Action: wire.ActionPutBack, Params: params(t, wire.PutBackParams{Repository: repo, Path: []byte("/root/x")})})
		}, wire.CausePolicy},
		{"listing not allowed", func(job string) wire.SignedEnvelope {
			return sign(wire.Envelope{Job: job, Action: wire.ActionList, Params: params(t, wire.ListParams{Repository: repo, Path: []byte("/home")})})
		}, wire.CausePolicy},
		{"not due", func(job string) wire.SignedEnvelope {
			return sign(wire.Envelope{Job: job, Action: wire.ActionBackup, NotBefore: time.Now().Add(time.Hour).UnixMilli(), ExpiresAt: time.Now().Add(2 * time.Hour).UnixMilli()})
		}, wire.CausePolicy},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			job := fmt.Sprintf("job_%d", i)
			r.plane.OfferSigned(1, tt.make(job))
			if got := r.plane.Rejected(job); got.Cause != tt.want || got.Detail == "" {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
		})
	}
	if b := r.helper.(*hosttest.Helper).Backups(); b != 0 {
		t.Errorf("backups: got %d, want none", b)
	}
}

func TestExpired(t *testing.T) {
	past := func(d time.Duration) int64 { return time.Now().Add(-d).UnixMilli() }
	tests := []struct {
		name, policy string
		ahead        time.Duration // of the plane's clock
		expires      int64
		want         wire.Outcome
	}{
		{"in time", "", 0, past(-time.Hour), wire.Succeeded},
		{"over", "", 0, past(time.Minute), wire.Expired},
		{"by a simulated clock that the policy forbids", "", -48 * time.Hour, past(47 * time.Hour), wire.Expired},
		{"by a simulated clock that the policy allows", "allow_simulated_time: true", -48 * time.Hour, past(47 * time.Hour), wire.Succeeded},
		{"over by a simulated clock", "allow_simulated_time: true", -48 * time.Hour, past(49 * time.Hour), wire.Expired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, &hosttest.Helper{})
			r.policy(tt.policy)
			r.plane.Set(func(b *hosttest.Behaviour) { b.Ahead = tt.ahead })
			r.start()
			r.plane.Offer(wire.Envelope{Job: "job_1", Action: wire.ActionInventory, ExpiresAt: tt.expires})
			if got := r.plane.Result("job_1"); got.Outcome != tt.want {
				t.Errorf("got %s %+v, want %s", got.Outcome, got.Failure, tt.want)
			}
		})
	}
}

func TestOfferedAgain(t *testing.T) {
	g := newGate()
	h := &hosttest.Helper{OnBackup: g.backup}
	r := newRig(t, h)
	r.plane.Set(func(b *hosttest.Behaviour) { b.KeepAcks = true })
	r.start()
	r.prepared()
	env := r.plane.Sign(r.backupEnvelope("job_1"))
	r.plane.OfferSigned(5, env)
	<-g.started
	// The same job in a newer epoch while it runs: taken over, not started.
	r.plane.OfferSigned(5, env)
	r.plane.OfferSigned(7, env)
	r.plane.Wait("accept in epoch 7", func(f wire.Frame) bool { return f.Type == wire.FrameAccept && f.JobRef.Epoch == 7 })
	r.plane.OfferSigned(6, env) // stale: not answered
	close(g.open)
	if got, want := r.plane.Result("job_1").Epoch, int64(7); got != want {
		t.Errorf("result: got epoch %d, want %d", got, want)
	}
	// Finished: the spooled result again, in the newest epoch.
	mark := r.plane.Mark()
	r.plane.OfferSigned(9, env)
	r.plane.WaitAfter(mark, "result in epoch 9", func(f wire.Frame) bool { return f.Type == wire.FrameResult && f.Result.Epoch == 9 })
	// Acknowledged: still remembered.
	r.plane.Set(func(b *hosttest.Behaviour) { b.KeepAcks = false })
	waitFor(t, "acknowledgement in the journal", func() bool {
		b, _ := os.ReadFile(filepath.Join(r.state, "journal.jsonl"))
		return strings.Contains(string(b), `"job":"job_1","state":"acked"`)
	})
	mark = r.plane.Mark()
	r.plane.OfferSigned(11, env)
	// One in epoch 9 that was sent again may still be under way.
	r.plane.WaitAfter(mark, "result in epoch 11", func(f wire.Frame) bool {
		return f.Type == wire.FrameResult && f.Result.Epoch == 11 && f.Result.Outcome == wire.Succeeded
	})
	if got, want := h.Backups(), 1; got != want {
		t.Errorf("starts: got %d, want %d", got, want)
	}
	for _, f := range r.plane.Frames() {
		if f.Type == wire.FrameAccept && f.JobRef.Epoch == 6 {
			t.Error("a stale epoch was accepted")
		}
	}
}

// A failure that the plane has taken may be followed by the next attempt, under
// the same id in a newer epoch.
func TestNextAttempt(t *testing.T) {
	tries := 0
	h := &hosttest.Helper{OnBackup: func(context.Context, helper.Backup, helper.Report) (wire.BackupResult, error) {
		if tries++; tries == 1 {
			return wire.BackupResult{}, helper.Fail(wire.CauseStoreUnreachable, nil, "away")
		}
		return wire.BackupResult{SnapshotID: "snap"}, nil
	}}
	r := newRig(t, h)
	r.start()
	r.prepared()
	env := r.plane.Sign(r.backupEnvelope("job_1"))
	r.plane.OfferSigned(5, env)
	if got := r.plane.Result("job_1"); got.Outcome != wire.Failed {
		t.Fatalf("first: got %s", got.Outcome)
	}
	waitFor(t, "acknowledgement", func() bool {
		b, _ := os.ReadFile(filepath.Join(r.state, "journal.jsonl"))
		return strings.Contains(string(b), `"job":"job_1","state":"acked"`)
	})
	mark := r.plane.Mark()
	r.plane.OfferSigned(5, env) // a copy of the old offer
	if got := r.plane.ResultAfter(mark, "job_1"); got.Outcome != wire.Failed {
		t.Errorf("the same epoch: got %s", got.Outcome)
	}
	mark = r.plane.Mark()
	r.plane.OfferSigned(6, env)
	if got := r.plane.ResultAfter(mark, "job_1"); got.Outcome != wire.Succeeded || got.Epoch != 6 {
		t.Errorf("second: got %+v", got)
	}
	if got, want := h.Backups(), 2; got != want {
		t.Errorf("starts: got %d, want %d", got, want)
	}
}

// The plane may offer a job again at the very moment it has a result: the
// agent must start it, or give the result again, and never only say that it
// runs.
func TestNextAttemptAtOnce(t *testing.T) {
	h := &hosttest.Helper{OnBackup: func(context.Context, helper.Backup, helper.Report) (wire.BackupResult, error) {
		return wire.BackupResult{}, helper.Fail(wire.CauseStoreUnreachable, nil, "away")
	}}
	r := newRig(t, h)
	r.start()
	r.prepared()
	for i := range 100 {
		job := fmt.Sprintf("job_%d", i)
		env := r.plane.Sign(r.backupEnvelope(job))
		mark := r.plane.Mark()
		r.plane.OfferSigned(5, env)
		r.plane.ResultAfter(mark, job)
		mark = r.plane.Mark()
		r.plane.OfferSigned(5, env)
		r.plane.ResultAfter(mark, job)
	}
}

func TestOneAtATimeForAResource(t *testing.T) {
	g := newGate()
	h := &hosttest.Helper{OnBackup: g.backup}
	r := newRig(t, h)
	r.start()
	r.prepared()
	offer := func(job, resource, path string) {
		e := r.backupEnvelope(job)
		e.Resource = resource
		e.Params = params(t, wire.BackupParams{Repository: repo, Paths: []string{path}})
		r.plane.Offer(e)
	}
	offer("job_a1", "a", "/a1")
	<-g.started
	offer("job_a2", "a", "/a2")
	for _, x := range []string{"b", "c", "d", "e"} { // one more than fits
		offer("job_"+x, x, "/"+x)
	}
	for _, want := range []string{"/b", "/c", "/d"} {
		if got := <-g.started; !strings.Contains("/b /c /d", got) {
			t.Errorf("started %s, want %s or its like", got, want)
		}
	}
	// Cancelled while it waits: it never starts.
	r.plane.Cancel("job_e", 99)
	if got := r.plane.Result("job_e"); got.Outcome != wire.Cancelled {
		t.Errorf("cancelled while waiting: got %s", got.Outcome)
	}
	if got := r.plane.Count(wire.FrameAccept, "job_a2"); got != 0 {
		t.Error("a job was accepted while its resource was busy")
	}
	close(g.open)
	if got := <-g.started; got != "/a2" {
		t.Errorf("then: got %s, want /a2", got)
	}
	if got := r.plane.Result("job_a2"); got.Outcome != wire.Succeeded {
		t.Errorf("got %s", got.Outcome)
	}
	if got, want := h.Backups(), 5; got != want {
		t.Errorf("starts: got %d, want %d", got, want)
	}
}

func TestCancelAndTimeout(t *testing.T) {
	g := newGate()
	r := newRig(t, &hosttest.Helper{OnBackup: g.backup})
	r.start()
	r.prepared()
	epoch := r.plane.Offer(r.backupEnvelope("job_1"))
	<-g.started
	r.plane.Cancel("job_1", epoch-1) // an older epoch's
	r.plane.Cancel("job_1", epoch)
	if got := r.plane.Result("job_1"); got.Outcome != wire.Cancelled {
		t.Errorf("cancelled: got %s %+v", got.Outcome, got.Failure)
	}
	e := r.backupEnvelope("job_2")
	e.TimeoutSeconds = 1
	r.plane.Offer(e)
	if got := r.plane.Result("job_2"); got.Outcome != wire.Failed || got.Failure.Cause != wire.CauseTimeout {
		t.Errorf("out of time: got %s %+v", got.Outcome, got.Failure)
	}
	// One that this host never heard of: it will not run any more.
	r.plane.Cancel("job_3", 50)
	if got := r.plane.Result("job_3"); got.Outcome != wire.Cancelled {
		t.Errorf("unknown: got %s", got.Outcome)
	}
	mark := r.plane.Mark()
	r.plane.OfferSigned(60, r.plane.Sign(r.backupEnvelope("job_3")))
	if got := r.plane.ResultAfter(mark, "job_3"); got.Outcome != wire.Cancelled {
		t.Errorf("offered after its cancel: got %s", got.Outcome)
	}
}

func TestPanicAndErrorsAreFailures(t *testing.T) {
	r := newRig(t, &hosttest.Helper{OnBackup: func(_ context.Context, b helper.Backup, _ helper.Report) (wire.BackupResult, error) {
		switch b.Paths[0] {
		case "/panic":
			panic("secret.txt")
		case "/full":
			return wire.BackupResult{}, fmt.Errorf("write: %w", os.NewSyscallError("write", errNoSpace))
		}
		return wire.BackupResult{}, helper.Fail(wire.CauseWrongPassword, nil, "no")
	}})
	r.start()
	r.prepared()
	tests := []struct {
		path string
		want wire.Cause
	}{{"/panic", wire.CauseInternal}, {"/full", wire.CauseDiskFull}, {"/other", wire.CauseWrongPassword}}
	for i, tt := range tests {
		e := r.backupEnvelope(fmt.Sprintf("job_%d", i))
		e.Params = params(t, wire.BackupParams{Repository: repo, Paths: []string{tt.path}})
		r.plane.Offer(e)
		got := r.plane.Result(e.Job)
		if got.Outcome != wire.Failed || got.Failure.Cause != tt.want || strings.Contains(got.Failure.Detail, "secret") {
			t.Errorf("%s: got %s %+v, want %s", tt.path, got.Outcome, got.Failure, tt.want)
		}
	}
}

func TestNoPasswordForTheStore(t *testing.T) {
	r := newRig(t, &hosttest.Helper{})
	r.start()
	r.plane.Offer(r.backupEnvelope("job_1"))
	if got := r.plane.Result("job_1"); got.Failure == nil || got.Failure.Cause != wire.CauseNoKey {
		t.Errorf("got %+v, want %s", got.Failure, wire.CauseNoKey)
	}
}
