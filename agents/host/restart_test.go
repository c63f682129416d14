package host_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostler/agents/host"
	"ostler/agents/host/helper"
	"ostler/agents/host/hosttest"
	"ostler/agents/wire"
)

var errNoSpace = syscall.ENOSPC

// crash leaves a state folder as a killed agent does: the journal says started,
// and there is no result.
func crash(t *testing.T, state string, jobs map[string]wire.Action) {
	t.Helper()
	j, _ := openJournal(t, state, time.Now())
	for id, a := range jobs {
		if err := j.Start(host.Entry{Job: id, Epoch: 3, Action: a, Resource: id}); err != nil {
			t.Fatal(err)
		}
	}
	_ = j.Close()
}

func TestKilledInTheMiddle(t *testing.T) {
	h := &hosttest.Helper{}
	r := newRig(t, h)
	crash(t, r.state, map[string]wire.Action{"job_backup": wire.ActionBackup, "job_inv": wire.ActionInventory})
	r.start()
	got := r.plane.Result("job_backup") // by itself, without an offer
	if got.Outcome != wire.Interrupted || got.Epoch != 3 || got.Failure == nil {
		t.Errorf("at most once: got %+v", got)
	}
	r.plane.OfferSigned(8, r.plane.Sign(r.backupEnvelope("job_backup")))
	r.plane.Wait("interrupted in epoch 8", func(f wire.Frame) bool {
		return f.Type == wire.FrameResult && f.Result.Job == "job_backup" && f.Result.Epoch == 8 && f.Result.Outcome == wire.Interrupted
	})
	if n := h.Backups(); n != 0 {
		t.Errorf("backups: got %d, want none", n)
	}
	if n := r.plane.Count(wire.FrameResult, "job_inv"); n != 0 {
		t.Errorf("idempotent: got %d results before an offer", n)
	}
	r.plane.OfferSigned(9, r.plane.Sign(wire.Envelope{Job: "job_inv", Action: wire.ActionInventory}))
	if got := r.plane.Result("job_inv"); got.Outcome != wire.Succeeded {
		t.Errorf("idempotent, offered again: got %+v", got)
	}
}

// Killed after the result was spooled and before the journal said so.
func TestKilledBetweenSpoolAndJournal(t *testing.T) {
	r := newRig(t, &hosttest.Helper{})
	crash(t, r.state, map[string]wire.Action{"job_1": wire.ActionBackup})
	spool := filepath.Join(r.state, "spool")
	if err := os.MkdirAll(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	text := `{"job":"job_1","epoch":3,"outcome":"succeeded","data":{"snapshot_id":"kept"},"started_at":1,"ended_at":2}`
	if err := os.WriteFile(filepath.Join(spool, "job_1.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(spool, ".tmp-123"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	got := r.plane.Result("job_1")
	if got.Outcome != wire.Succeeded || decode[wire.BackupResult](t, got.Data).SnapshotID != "kept" {
		t.Errorf("got %+v", got)
	}
	if _, err := os.Stat(filepath.Join(spool, ".tmp-123")); err == nil {
		t.Error("half a file is still in the spool")
	}
}

func TestStoppedAndStartedAgain(t *testing.T) {
	g := newGate()
	h := &hosttest.Helper{OnBackup: g.backup}
	r := newRig(t, h)
	stop := r.start()
	r.prepared()
	r.plane.Offer(r.backupEnvelope("job_1"))
	<-g.started
	stop()
	r.start()
	r.plane.Wait("interrupted", func(f wire.Frame) bool {
		return f.Type == wire.FrameResult && f.Result.Job == "job_1" && f.Result.Outcome == wire.Interrupted
	})
	if got, want := h.Backups(), 1; got != want {
		t.Errorf("starts: got %d, want %d", got, want)
	}
}

func TestReconnectWait(t *testing.T) {
	for tries := range 100 {
		if got := host.ReconnectWait(tries); got <= 0 || got > 30*time.Second {
			t.Errorf("after %d tries: got %v, want at most 30 s", tries, got)
		}
	}
}

func TestReconnect(t *testing.T) {
	g := newGate()
	r := newRig(t, &hosttest.Helper{OnBackup: g.backup})
	r.start()
	r.prepared()
	epoch := r.plane.Offer(r.backupEnvelope("job_1"))
	<-g.started
	again := func(what string, act func()) {
		t.Helper()
		mark := r.plane.Mark()
		act()
		f := r.plane.WaitAfter(mark, "hello after "+what, func(f wire.Frame) bool { return f.Type == wire.FrameHello })
		if len(f.Hello.Running) != 1 || f.Hello.Running[0] != (wire.JobRef{Job: "job_1", Epoch: epoch}) {
			t.Errorf("%s: running: got %+v", what, f.Hello.Running)
		}
	}
	again("a lost connection", r.plane.Drop)
	again("a drain", func() { r.plane.Send(wire.Frame{Type: wire.FrameDrain, DrainMillis: 20}) })
	// A result that is made while there is no connection is sent at the next.
	r.plane.Set(func(b *hosttest.Behaviour) { b.RefuseStream = http.StatusBadGateway })
	r.plane.Drop()
	r.plane.Wait("a refused connection", func(f wire.Frame) bool { return f.Type == "refused" })
	close(g.open)
	waitFor(t, "spooled result", func() bool {
		_, err := os.Stat(filepath.Join(r.state, "spool", "job_1.json"))
		return err == nil
	})
	r.plane.Set(func(b *hosttest.Behaviour) { b.RefuseStream = 0 })
	if got := r.plane.Result("job_1"); got.Outcome != wire.Succeeded {
		t.Errorf("got %s", got.Outcome)
	}
}

func TestUnacknowledgedResultIsSentAgain(t *testing.T) {
	r := newRig(t, &hosttest.Helper{})
	r.plane.Set(func(b *hosttest.Behaviour) { b.KeepAcks = true })
	r.start()
	r.plane.Offer(wire.Envelope{Job: "job_1", Action: wire.ActionInventory})
	r.plane.Result("job_1")
	r.plane.ResultAfter(r.plane.Mark(), "job_1")
}

func TestReplayAfterThePlaneWasRestored(t *testing.T) {
	r := newRig(t, &hosttest.Helper{})
	r.plane.Set(func(b *hosttest.Behaviour) { b.Generation = 1 })
	r.start()
	r.prepared()
	r.plane.Offer(r.backupEnvelope("job_1"))
	r.plane.Result("job_1")
	waitFor(t, "acknowledgement", func() bool {
		b, _ := os.ReadFile(filepath.Join(r.state, "journal.jsonl"))
		return strings.Contains(string(b), `"job":"job_1","state":"acked"`)
	})
	before, mark := r.plane.Count(wire.FrameResult, "job_1"), r.plane.Mark()
	r.plane.Drop() // the same generation: nothing to replay
	r.plane.WaitAfter(mark, "hello", func(f wire.Frame) bool { return f.Type == wire.FrameHello })
	r.plane.Offer(wire.Envelope{Job: "job_2", Action: wire.ActionInventory})
	r.plane.ResultAfter(mark, "job_2")
	if got := r.plane.Count(wire.FrameResult, "job_1"); got != before {
		t.Errorf("results of job_1: got %d, want %d as before", got, before)
	}
	r.plane.Set(func(b *hosttest.Behaviour) { b.Generation = 2 })
	mark = r.plane.Mark()
	r.plane.Drop()
	if got := r.plane.ResultAfter(mark, "job_1"); got.Outcome != wire.Succeeded || len(got.Data) == 0 {
		t.Errorf("replayed: got %+v", got)
	}
}

func TestRefusedAgentWaits(t *testing.T) {
	r := newRig(t, &hosttest.Helper{})
	r.plane.Set(func(b *hosttest.Behaviour) { b.RefuseStream = http.StatusUnauthorized })
	r.start()
	waitFor(t, "long wait", func() bool { return strings.Contains(r.logs.String(), "session.ended") })
	if log := r.logs.String(); !strings.Contains(log, "This agent is not welcome") || !strings.Contains(log, `"next_in"`) {
		t.Errorf("log: got %s", log)
	}
	time.Sleep(50 * time.Millisecond) // ten times the first back-off
	n := 0
	for _, f := range r.plane.Frames() {
		if f.Type == "refused" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("attempts: got %d, want 1: it comes back in an hour", n)
	}
	if _, err := host.LoadIdentity(r.state); err != nil {
		t.Errorf("identity after a refusal: %v", err)
	}
}

func TestJournalThatCannotBeWritten(t *testing.T) {
	h := &hosttest.Helper{}
	r := newRig(t, h)
	dir := r.state
	a, err := r.new()
	if err != nil {
		t.Fatal(err)
	}
	_ = a.Close() // its journal is closed: every write fails, as on a full disk
	r.state = dir
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Run(ctx) }()
	r.plane.Offer(r.backupEnvelope("job_1"))
	if got := r.plane.Result("job_1"); got.Outcome != wire.Failed || got.Failure.Detail == "" {
		t.Errorf("got %+v", got)
	}
	cancel()
	<-done
	if n := h.Backups(); n != 0 {
		t.Errorf("started without a journal: %d", n)
	}
}

func TestDownloadResumes(t *testing.T) {
	staged := filepath.Join(t.TempDir(), "staged")
	data := make([]byte, 2*wire.ChunkSize+5)
	for i := range data {
		data[i] = byte(i >> 12)
	}
	if err := os.WriteFile(staged, data, 0o600); err != nil {
		t.Fatal(err)
	}
	h := &hosttest.Helper{OnFetch: func(context.Context, helper.Fetch) (helper.Staged, error) {
		return helper.Staged{Path: staged, Size: int64(len(data)), SHA256: "sum", Mode: 0o644}, nil
	}}
	r := newRig(t, h)
	r.start()
	r.prepared()
	r.plane.PutChunk("job_1", 0, data[:wire.ChunkSize])
	r.plane.Set(func(b *hosttest.Behaviour) { b.FailPuts = 2 })
	r.plane.Offer(wire.Envelope{Job: "job_1", Action: wire.ActionDownload, Params: params(t, wire.DownloadParams{Repository: repo, Path: []byte("/srv/f")})})
	res := r.plane.Result("job_1")
	if res.Outcome != wire.Succeeded {
		t.Fatalf("got %+v", res.Failure)
	}
	if got := decode[wire.DownloadResult](t, res.Data); got.Chunks != 3 || got.Size != int64(len(data)) || got.SHA256 != "sum" {
		t.Errorf("got %+v", got)
	}
	got, puts := r.plane.File("job_1")
	if string(got) != string(data) {
		t.Error("the plane's file differs")
	}
	if puts != 2 {
		t.Errorf("chunks sent: got %d, want 2: the first was there", puts)
	}
	if d := h.Discarded(); len(d) == 0 || d[len(d)-1] != "job_1" {
		t.Errorf("staging discarded: got %v", d)
	}
}
