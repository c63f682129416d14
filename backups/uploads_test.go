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
