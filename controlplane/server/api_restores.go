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

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// Restore is one file on its way out of a snapshot. A download can be fetched
// at content_url while its state is ready.
type Restore struct {
	ID         string        `json:"id"`
	Customer   string        `json:"customer"`
	Server     string        `json:"server"`
	Snapshot   string        `json:"snapshot"`
	Job        string        `json:"job"`
	Kind       string        `json:"kind" enum:"download,put_back"`
	State      string        `json:"state" enum:"active,checking,ready,failed,expired"`
	Over       bool          `json:"over"`
	Path       string        `json:"path"`
	PathB64    []byte        `json:"path_b64,omitempty" doc:"The bytes, where the path is not UTF-8"`
	Target     string        `json:"target,omitempty" doc:"Where a file that is put back is on the server"`
	TargetB64  []byte        `json:"target_b64,omitempty"`
	Size       int64         `json:"size"`
	SHA256     string        `json:"sha256,omitempty" doc:"Hex, of the whole file"`
	ContentURL string        `json:"content_url,omitempty"`
	CreatedBy  string        `json:"created_by"`
	CreatedAt  string        `json:"created_at" format:"date-time"`
	FinishedAt string        `json:"finished_at,omitempty" format:"date-time"`
	ExpiresAt  string        `json:"expires_at,omitempty" format:"date-time" doc:"When a download is deleted"`
	FetchedAt  string        `json:"fetched_at,omitempty" format:"date-time"`
	Failure    *FailureCause `json:"failure,omitempty"`
}

func restoreOver(s backups.RestoreState) bool {
	return s == backups.RestoreReady || s == backups.RestoreFailed || s == backups.RestoreExpired
}

func viewRestore(r backups.Restore) Restore {
	v := Restore{ID: r.ID, Customer: r.Customer, Server: r.Server, Snapshot: r.Snapshot, Job: r.Job, Kind: string(r.Kind), State: string(r.State),
		Over: restoreOver(r.State), Size: r.Size, SHA256: r.SHA256, CreatedBy: r.CreatedBy, CreatedAt: controlplane.Instant(r.CreatedAt),
		FinishedAt: controlplane.Instant(r.FinishedAt), ExpiresAt: controlplane.Instant(r.ExpiresAt), FetchedAt: controlplane.Instant(r.FetchedAt)}
	v.Path, v.PathB64 = pathText(r.Path)
	v.Target, v.TargetB64 = pathText(r.Target)
	if r.Kind == backups.RestoreDownload && r.State == backups.RestoreReady {
		v.ContentURL = Base + "/restores/" + r.ID + "/content"
	}
	switch r.State {
	case backups.RestoreFailed:
		v.Failure = failureOf(r.FailureCause)
	case backups.RestoreExpired:
		v.Failure = &FailureCause{Cause: string(r.State), Message: "This download is no longer kept.", Next: "Fetch the file from its snapshot again."}
	}
	return v
}

// NewRestore asks for one file of a snapshot.
type NewRestore struct {
	Snapshot string `json:"snapshot"`
	Kind     string `json:"kind" enum:"download,put_back" doc:"put_back puts it on the server, beside the original"`
	Path     string `json:"path,omitempty"`
	PathB64  []byte `json:"path_b64,omitempty" doc:"The path's bytes, where it is not UTF-8"`
}

func (b *backupAPI) registerRestores(a *API) {
	type startIn struct{ Body NewRestore }
	Register(a, Op{Method: http.MethodPost, Path: "/restores", Name: "restore.start", Summary: "Fetch one file of a snapshot, or put it back on the server",
		Audience: policy.SignedIn, Permission: policy.RestoreRun, Status: http.StatusAccepted},
		func(ctx context.Context, scope policy.Scope, in *startIn) (*One[Restore], error) {
			file, err := pathBytes(in.Body.Path, in.Body.PathB64)
			if err != nil {
				return nil, err
			}
			start := b.Backups.StartDownload
			if backups.RestoreKind(in.Body.Kind) == backups.RestorePutBack {
				start = b.Backups.StartPutBack
			}
			r, err := start(ctx, scope, in.Body.Snapshot, file)
			return &One[Restore]{Location: jobLocation(r.Job), Body: viewRestore(r)}, err
		})
	type listIn struct {
		PageSize int `query:"page_size" minimum:"1" maximum:"200" default:"50"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/restores", Name: "restore.list", Summary: "List the newest restores; there are no further pages",
		Audience: policy.SignedIn, Permission: policy.RestoreRun},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[Restore], error) {
			items, err := b.Backups.Restores(ctx, scope, in.PageSize)
			return listOf(items, "", viewRestore), err
		})
	type showIn struct {
		IDIn
		Wait string `query:"wait" doc:"Wait until it is over, at most this long: 30s"`
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
	Register(a, Op{Method: http.MethodGet, Path: "/restores/{id}/content", Name: "restore.content", Summary: "Fetch the file of a download; takes Range and If-Range",
		Audience: policy.SignedIn, Permission: policy.RestoreRun}, b.content)
}

// checkEvery is how often a wait looks at a download that is being checked.
const checkEvery = 200 * time.Millisecond

// waitRestore waits for the restore's job, and then for the check of a
// download, at most d in all; it returns the restore as it is then.
func (b *backupAPI) waitRestore(ctx context.Context, scope policy.Scope, id string, d time.Duration) (backups.Restore, error) {
	r, err := b.Backups.Restore(ctx, scope, id)
	if err != nil || d == 0 || restoreOver(r.State) {
		return r, err
	}
	wait, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if r.State == backups.RestoreActive {
		if _, err := b.Jobs.Wait(ctx, scope, r.Job, d); err != nil {
			return r, err
		}
	}
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		if r, err = b.Backups.Restore(ctx, scope, id); err != nil || restoreOver(r.State) {
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
// request: the content of a download, and the ledger's bundle.
func longLived(path string) bool {
	return path == bundlePath || strings.HasPrefix(path, Base+"/restores/") && strings.HasSuffix(path, "/content")
}
