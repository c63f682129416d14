package server

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane/policy"
)

// NewRestore asks for files and folders of snapshots.
type NewRestore struct {
	Kind     string       `json:"kind" enum:"download,put_back,archive,in_place" doc:"download, put_back: one file (snapshot, path); put_back puts it on the server, beside the original. archive, in_place: picks; in_place previews first, and waits to be confirmed"`
	Snapshot string       `json:"snapshot,omitempty"`
	Path     string       `json:"path,omitempty"`
	PathB64  []byte       `json:"path_b64,omitempty" doc:"The path's bytes, where it is not UTF-8"`
	Picks    []Pick       `json:"picks,omitempty" maxItems:"1000"`
	Customer string       `json:"customer,omitempty" doc:"Slug or id; needed where one may see several"`
	Format   string       `json:"format,omitempty" enum:"zip,tar.gz" doc:"Of an archive; empty is zip"`
	Target   *Destination `json:"target,omitempty" doc:"Of in_place; without it each goes back to where it was, beside what is there"`
	MailMe   bool         `json:"mail_me,omitempty" doc:"Send a mail when it is over"`
}

// Pick is one file or folder of a snapshot.
type Pick struct {
	Snapshot string `json:"snapshot"`
	Path     string `json:"path,omitempty"`
	PathB64  []byte `json:"path_b64,omitempty" doc:"The path's bytes, where it is not UTF-8"`
}

// Destination is where on a server files go, and by which rules.
type Destination struct {
	Server    string `json:"server,omitempty" doc:"Name or id; empty: each to the server that it is from"`
	Placement string `json:"placement,omitempty" enum:"original,folder" doc:"Empty is original, or folder where one is named"`
	Folder    string `json:"folder,omitempty"`
	FolderB64 []byte `json:"folder_b64,omitempty" doc:"The folder's bytes, where it is not UTF-8"`
	Conflict  string `json:"conflict,omitempty" enum:"overwrite,keep,beside" doc:"Empty is beside"`
	Special   bool   `json:"special,omitempty" doc:"Keep set-user-id bits and devices: staff only"`
}

// StartedRestores is what a request started. Items are all restores of an
// archive (one for each server that it is from) or in_place (one for each pair
// of servers); the first of them, or the only one, stands beside them.
type StartedRestores struct {
	Restore
	Items []Restore `json:"items" nullable:"false"`
}

func startedOf(all []backups.Restore) *One[StartedRestores] {
	out := &One[StartedRestores]{Body: StartedRestores{Items: make([]Restore, len(all))}}
	for i, r := range all {
		out.Body.Items[i] = viewRestore(r)
	}
	if len(all) > 0 {
		out.Location, out.Body.Restore = jobLocation(all[0].Job), out.Body.Items[0]
	}
	return out
}

func (b *backupAPI) registerRestores(a *API) {
	type startIn struct{ Body NewRestore }
	Register(a, Op{Method: http.MethodPost, Path: "/restores", Name: "restore.start", Summary: "Fetch files and folders of snapshots, or put them on a server",
		Audience: policy.SignedIn, Permission: policy.RestoreRun, Status: http.StatusAccepted},
		func(ctx context.Context, scope policy.Scope, in *startIn) (*One[StartedRestores], error) {
			start := b.startOne
			if k := backups.RestoreKind(in.Body.Kind); k == backups.RestoreArchive || k == backups.RestoreInPlace {
				start = b.startMany
			}
			all, err := start(ctx, scope, in.Body)
			return startedOf(all), err
		})
	type listIn struct {
		PageIn
		Customer string `query:"customer" doc:"Slug or id"`
		Server   string `query:"server" doc:"Name or id of where it is from, or goes to"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/restores", Name: "restore.list", Summary: "List restores, newest first",
		Audience: policy.SignedIn, Permission: policy.RestoreRun},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[Restore], error) {
			server, customer, err := b.refs(ctx, scope, in.Server, in.Customer)
			if err != nil {
				return nil, err
			}
			items, next, err := b.Backups.ListRestores(ctx, scope, backups.RestoreFilter{Customer: customer, Server: server, Limit: in.PageSize, PageToken: in.PageToken})
			return listOf(items, next, viewRestore), err
		})
	type showIn struct {
		IDIn
		Wait string `query:"wait" doc:"Wait until it is over or waits to be confirmed, at most this long: 30s"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/restores/{id}", Name: "restore.show", Summary: "Show a restore, or wait for it",
		Audience: policy.SignedIn, Permission: policy.RestoreRun},
		func(ctx context.Context, scope policy.Scope, in *showIn) (*One[Restore], error) {
			d, err := waited(in.Wait)
			if err != nil {
				return nil, err
			}
			r, err := b.waitRestore(ctx, scope, in.ID, d)
			return &One[Restore]{Body: viewRestore(r)}, err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/restores/{id}/content", Name: "restore.content", Summary: "Fetch the file of a download or an archive; takes Range and If-Range",
		Audience: policy.SignedIn, Permission: policy.RestoreRun}, b.content)
}

// startOne starts the restore of one file.
func (b *backupAPI) startOne(ctx context.Context, scope policy.Scope, in NewRestore) ([]backups.Restore, error) {
	file, err := pathBytes(in.Path, in.PathB64)
	if err != nil {
		return nil, err
	}
	start := b.Backups.StartDownload
	if backups.RestoreKind(in.Kind) == backups.RestorePutBack {
		start = b.Backups.StartPutBack
	}
	r, err := start(ctx, scope, in.Snapshot, file)
	return []backups.Restore{r}, err
}

// startMany starts restores of files and folders.
func (b *backupAPI) startMany(ctx context.Context, scope policy.Scope, in NewRestore) ([]backups.Restore, error) {
	o := backups.Order{Customer: in.Customer, Format: wire.ArchiveFormat(in.Format), MailMe: in.MailMe}
	picks := in.Picks
	if in.Snapshot != "" {
		picks = append([]Pick{{Snapshot: in.Snapshot, Path: in.Path, PathB64: in.PathB64}}, picks...)
	}
	for _, p := range picks {
		file, err := pathBytes(p.Path, p.PathB64)
		if err != nil {
			return nil, err
		}
		o.Picks = append(o.Picks, backups.Pick{Snapshot: p.Snapshot, Path: file, Size: -1})
	}
	if backups.RestoreKind(in.Kind) == backups.RestoreArchive {
		return b.Backups.StartArchive(ctx, scope, o)
	}
	if in.Target == nil {
		return b.Backups.StartInPlace(ctx, scope, o)
	}
	t := *in.Target
	folder, err := pathBytes(t.Folder, t.FolderB64)
	if err != nil {
		return nil, asParameter(err, "/path", "/target/folder")
	}
	if t.Placement == "" && len(folder) > 0 {
		t.Placement = string(wire.PlaceFolder)
	}
	if t.Server, _, err = b.refs(ctx, scope, t.Server, ""); err != nil {
		return nil, err
	}
	o.Target = backups.Destination{Server: t.Server, Placement: wire.Placement(t.Placement), Folder: folder, Conflict: wire.Conflict(t.Conflict), Special: t.Special}
	return b.Backups.StartInPlace(ctx, scope, o)
}

// checkEvery is how often a wait looks at a restore between its jobs.
const checkEvery = 200 * time.Millisecond

// waitRestore waits while jobs are at work for a restore, and what came of them
// is checked, at most d in all; it returns the restore as it is then.
func (b *backupAPI) waitRestore(ctx context.Context, scope policy.Scope, id string, d time.Duration) (backups.Restore, error) {
	r, err := b.Backups.Restore(ctx, scope, id)
	if err != nil || d == 0 || !r.State.Busy() {
		return r, err
	}
	wait, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		left, _ := wait.Deadline()
		if _, err := b.Jobs.Wait(ctx, scope, r.Job, time.Until(left)); err != nil {
			return r, err
		}
		if r, err = b.Backups.Restore(ctx, scope, id); err != nil || !r.State.Busy() {
			return r, err
		}
		select {
		case <-wait.Done():
			return r, ctx.Err()
		case <-tick.C:
		}
	}
}

type contentOut struct{ Body func(huma.Context) }

// content sends a file. What cannot be read in the middle cuts the connection:
// the length that was announced tells the reader.
func (b *backupAPI) content(ctx context.Context, scope policy.Scope, in *IDIn) (*contentOut, error) {
	f, err := b.Backups.OpenDownload(ctx, scope, in.ID)
	if err != nil {
		return nil, err
	}
	return &contentOut{Body: func(hc huma.Context) {
		c := humaecho.Unwrap(hc)
		contentHeaders(c.Response().Header(), f.Restore)
		http.ServeContent(c.Response(), c.Request(), "", time.Time{}, f)
	}}, nil
}

// contentHeaders has the file saved and never shown: what is in it is a
// customer's, and may be anything.
func contentHeaders(h http.Header, r backups.Restore) {
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", disposition(r.Name()))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "private, no-store")
	h.Set("ETag", `"`+r.SHA256+`"`)
	if sum, err := hex.DecodeString(r.SHA256); err == nil {
		h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":") // RFC 9530
	}
}

// disposition names the file to save as. Nothing of a name can steer what
// reads it: what is not plain text is written as an underscore.
func disposition(name string) string {
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar || strings.ContainsRune(`/\"`, r) {
			return '_'
		}
		return r
	}, name)
	if clean = strings.TrimLeft(clean, ". "); clean == "" {
		clean = "file"
	}
	v := mime.FormatMediaType("attachment", map[string]string{"filename": clean})
	if v == "" {
		return fmt.Sprintf("attachment; filename=%q", "file")
	}
	return v
}

// longLived reports whether a path of the API lives longer than an ordinary
// request: the content of a download or an archive, and the ledger's bundle.
func longLived(path string) bool {
	return path == bundlePath || isCast(path) || strings.HasPrefix(path, Base+"/restores/") && strings.HasSuffix(path, "/content")
}
