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

// listingRoom is what a listing may need beside the reserve: some ten bytes for
// each file, and as much again as it waits to be sorted. Where it needs more, the
// disk is looked at again as it grows.
const listingRoom = 64 << 20

// How many entries pass between two reports, and between two looks at the disk.
const (
	reportEvery = 1 << 10
	lookEvery   = 1 << 17
)

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
	done, err := h.promise(c.Job, listingRoom)
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
	room := func() error { return h.enough(dir) }
	err = c.list(ctx, repo, catalogue.NewListingWriter(buf, catalogue.ListingOptions{TempDir: dir}), &out.Entries, room, report)
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

// enough says whether the disk still has its reserve.
func (h *Local) enough(dir string) error {
	free, err := h.o.Free(dir)
	if err != nil {
		return fmt.Errorf("helper: free space: %w", err)
	}
	if free < h.o.Reserve {
		return Fail(wire.CauseDiskFull, nil, "listing the snapshot would leave less than %d bytes free on the server", h.o.Reserve)
	}
	return nil
}

// list writes the listing.
func (c Catalogue) list(ctx context.Context, repo Engine, w *catalogue.ListingWriter, entries *int64, room func() error, report Report) error {
	defer w.Discard()
	err := repo.Walk(ctx, c.Snapshot, func(path []byte, n wire.Node) error {
		if len(c.Within) > 0 && !c.allows(string(path)) {
			return nil
		}
		if *entries++; *entries%reportEvery == 0 {
			report(wire.Progress{Step: "list", Files: *entries})
		}
		if *entries%lookEvery == 0 {
			if err := room(); err != nil {
				return err
			}
		}
		return w.Add(catalogue.Entry{Path: path, Type: n.Type, Size: n.Size, MTime: n.MTime, Mode: n.Mode, UID: n.UID, GID: n.GID})
	})
	if err != nil {
		return err
	}
	report(wire.Progress{Step: "list", Files: *entries, TotalFiles: *entries})
	return w.Close()
}
