package backups_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// late is a body that does something before its bytes come.
type late struct {
	first func()
	io.Reader
}

func (l *late) Read(p []byte) (int, error) {
	if l.first != nil {
		l.first()
		l.first = nil
	}
	return l.Reader.Read(p)
}

// A host must not change a chunk after the file was checked, by an upload that
// it began before, nor fill the store with chunks that it sends over and over.
func TestAChunkCannotBeChangedAfterTheCheck(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		_, snap := h.ready()
		ctx, scope := h.owner(h.customer.ID)
		r := must[backups.Restore](t)(h.backups.StartDownload(ctx, scope, snap.ID, []byte("/srv/shop/a")))
		var params wire.DownloadParams
		ref := h.take(wire.ActionDownload, &params)
		digest := func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }
		put := func(content string, first func()) error {
			return h.backups.Put(h.ctx, h.server.ID, agentID, ref.Job, ref.Epoch, 0, digest(content), &late{first, bytes.NewReader([]byte(content))})
		}
		for _, content := range []string{"one", "two", "true"} {
			if err := put(content, nil); err != nil {
				t.Fatal(err)
			}
		}
		finish := func() {
			h.finish(ref, wire.DownloadResult{Size: 4, SHA256: digest("true"), Chunks: 1})
			h.tick()
		}
		if err := put("evil", finish); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("a chunk after the end: got %v, want conflict", err)
		}
		f, err := h.backups.OpenDownload(ctx, scope, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); err != nil || string(got) != "true" {
			t.Errorf("got %q, %v, want what was checked", got, err)
		}
		n := 0
		for it := h.blobs.List(nil); ; n++ {
			if _, err := it.Next(ctx); err != nil {
				break
			}
		}
		if n != 1 {
			t.Errorf("got %d blobs, want the one that counts", n)
		}
	})
}

// A host that sends slowly must not keep other hosts' files from arriving.
func TestASlowHostHoldsNobodyUp(t *testing.T) {
	h := newHouse(t, dbtest.SQLite(t, db.SystemClock{}), nil)
	_, snap := h.ready()
	ctx, scope := h.owner(h.customer.ID)
	must[backups.Restore](t)(h.backups.StartDownload(ctx, scope, snap.ID, []byte("/srv/shop/a")))
	var params wire.DownloadParams
	ref := h.take(wire.ActionDownload, &params)
	stop, started := make(chan struct{}), make(chan struct{}, 20)
	defer close(stop)
	for range cap(started) {
		go func() {
			slow := &late{func() { started <- struct{}{}; <-stop }, bytes.NewReader(nil)}
			_ = h.backups.Put(h.ctx, h.server.ID, agentID, ref.Job, ref.Epoch, 0, "x", slow)
		}()
	}
	<-started
	if n := backups.PlacesTaken(h.backups); n != 1 {
		t.Errorf("one host has %d places, want 1", n)
	}
}

func TestRestoresAreBounded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		_, snap := h.ready()
		ctx, scope := h.owner(h.customer.ID)
		for range 20 {
			must[backups.Restore](t)(h.backups.StartPutBack(ctx, scope, snap.ID, []byte("/srv/shop/a")))
		}
		if _, err := h.backups.StartDownload(ctx, scope, snap.ID, []byte("/srv/shop/a")); controlplane.ErrorCode(err) != controlplane.CodeTooMany {
			t.Errorf("got %v, want too many", err)
		}
		clock.Advance(2 * 3600e9) // the jobs expire
		if err := h.jobs.Tick(controlplane.System(t.Context(), "test")); err != nil {
			t.Fatal(err)
		}
		if _, err := h.backups.StartDownload(ctx, scope, snap.ID, []byte("/srv/shop/a")); err != nil {
			t.Errorf("after the others are over: %v", err)
		}
	})
}

// What is on its way here counts as what is kept here does: many large archives
// begun at once cannot fill the disk. What is put on the server needs no room here.
func TestRestoresUnderWayKeepRoom(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	_, snap := h.ready()
	h.listed(tree{"/srv/shop/video/a": 12 << 30, "/srv/shop/video/b": 7 << 30, "/srv/shop/small": 1})
	ctx, scope := h.owner(h.customer.ID)
	archive := func(paths ...string) ([]backups.Restore, error) {
		return h.backups.StartArchive(ctx, scope, backups.Order{Picks: picks(snap, paths...)})
	}
	var first backups.Restore
	for i := range 4 {
		r := must[[]backups.Restore](t)(archive("/srv/shop/video"))
		if i == 0 {
			first = r[0]
		}
		if r[0].Bytes != 0 {
			t.Errorf("an estimate is passed off as what it holds: %+v", r[0])
		}
	}
	_, err := archive("/srv/shop/video/b")
	code(t, "a fifth archive", err, controlplane.CodeTooMany)
	_, err = h.backups.StartDownload(ctx, scope, snap.ID, []byte("/srv/shop/video/b"))
	code(t, "a large file", err, controlplane.CodeTooMany)
	if _, err := archive("/srv/shop/small"); err != nil {
		t.Errorf("what there is room for: %v", err)
	}
	if _, err := h.backups.StartPutBack(ctx, scope, snap.ID, []byte("/srv/shop/video/b")); err != nil {
		t.Errorf("onto the server: %v", err)
	}
	must[backups.Restore](t)(h.backups.CancelRestore(ctx, scope, first.ID))
	h.tick()
	if _, err := archive("/srv/shop/video/b"); err != nil {
		t.Errorf("after one was cancelled: %v", err)
	}
}
