package helper

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"ostler/agents/wire"
	"ostler/backups/catalogue"
)

// Catalogue asks for the listing of a whole snapshot.
type Catalogue struct {
	Job      string
	Repo     Repo
	Snapshot string
	// Within are the host's own limits: a path must be beneath, or on the way
	// to, one of each list. Others are not listed.
	Within [][]string
}

// allows reports whether a path may be listed.
func (c Catalogue) allows(path string) bool {
	for _, list := range c.Within {
		if !slices.ContainsFunc(list, func(dir string) bool { return Beneath(dir, path) || Beneath(path, dir) }) {
			return false
		}
	}
	return true
}

// Catalogued is a listing (package backups/catalogue) in private staging.
type Catalogued struct {
	Staged
	Entries   int64
	Snapshots []string // restic's ids of all snapshots in the repository, by time
}

// listingRoom is the room that a listing may need, beside the reserve: that of
// some ten million files.
const listingRoom = 1 << 30

// reportEvery is how many entries pass between two reports.
const reportEvery = 1 << 10

// Catalogue implements Helper. Link targets are not in the listing: restic does
// not list them. The same snapshot gives the same bytes, so that an upload that
// was broken off goes on.
func (h *Local) Catalogue(ctx context.Context, c Catalogue, report Report) (_ Catalogued, err error) {
	report = quiet(report)
	dir, err := h.emptyStaging(c.Job)
	if err != nil {
		return Catalogued{}, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	done, err := h.promise(c.Job, min(listingRoom, h.o.StagingQuota/2))
	if err != nil {
		return Catalogued{}, err
	}
	defer done()
	repo, err := h.repo(ctx, c.Repo)
	if err != nil {
		return Catalogued{}, err
	}
	var out Catalogued
	all, err := repo.Snapshots(ctx)
	if err != nil {
		return out, err
	}
	for _, s := range all {
		out.Snapshots = append(out.Snapshots, s.ID)
	}
	path := filepath.Join(dir, "listing")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return out, fmt.Errorf("helper: make listing: %w", err)
	}
	sum := sha256.New()
	to := &measured{w: io.MultiWriter(f, sum)}
	buf := bufio.NewWriterSize(to, 1<<20)
	err = c.list(ctx, repo, catalogue.NewListingWriter(buf, catalogue.ListingOptions{TempDir: dir}), &out.Entries, report)
	if err == nil {
		err = buf.Flush()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return Catalogued{}, err
	}
	out.Staged = Staged{Path: path, Size: to.n, SHA256: hex.EncodeToString(sum.Sum(nil)), Mode: 0o600}
	return out, nil
}

// list writes the listing.
func (c Catalogue) list(ctx context.Context, repo Engine, w *catalogue.ListingWriter, entries *int64, report Report) error {
	defer w.Discard()
	err := repo.Walk(ctx, c.Snapshot, func(path []byte, n wire.Node) error {
		if len(c.Within) > 0 && !c.allows(string(path)) {
			return nil
		}
		if *entries++; *entries%reportEvery == 0 {
			report(wire.Progress{Step: "list", Files: *entries})
		}
		return w.Add(catalogue.Entry{Path: path, Type: n.Type, Size: n.Size, MTime: n.MTime, Mode: n.Mode, UID: n.UID, GID: n.GID})
	})
	if err != nil {
		return err
	}
	report(wire.Progress{Step: "list", Files: *entries, TotalFiles: *entries})
	return w.Close()
}
