package server

import (
	"context"
	"encoding/base64"
	"net/http"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// Snapshot is one backup that can be restored from.
type Snapshot struct {
	ID          string `json:"id"`
	Customer    string `json:"customer"`
	Server      string `json:"server"`
	Plan        string `json:"plan"`
	Run         string `json:"run"`
	Repository  string `json:"repository"`
	ResticID    string `json:"restic_id"`
	ArrivedAt   string `json:"arrived_at" format:"date-time" doc:"When the control plane learned of it: the time that counts"`
	ClaimedAt   string `json:"claimed_at,omitempty" format:"date-time" doc:"What the server says"`
	Outcome     string `json:"outcome" enum:"complete,partial"`
	UnreadCount int64  `json:"unread_count"`
	Files       int64  `json:"files"`
	Bytes       int64  `json:"bytes"`
	AddedBytes  int64  `json:"added_bytes"`
}

func viewSnapshot(s backups.Snapshot) Snapshot {
	return Snapshot{ID: s.ID, Customer: s.Customer, Server: s.Server, Plan: s.Plan, Run: s.Run, Repository: s.Repository, ResticID: s.ResticID,
		ArrivedAt: controlplane.Instant(s.ArrivedAt), ClaimedAt: controlplane.Instant(s.ClaimedAt), Outcome: string(s.Outcome),
		UnreadCount: s.UnreadCount, Files: s.Files, Bytes: s.Bytes, AddedBytes: s.AddedBytes}
}

// SnapshotFolder is one folder of a snapshot, from the catalogue or listed live
// on the server. Found and Entries are there once State is succeeded.
type SnapshotFolder struct {
	Snapshot      string          `json:"snapshot"`
	Path          string          `json:"path"`
	PathB64       []byte          `json:"path_b64,omitempty" doc:"The bytes, where the path is not UTF-8"`
	Source        string          `json:"source" enum:"catalogue,live" doc:"catalogue: what we keep, at once; live: asked of the server"`
	Why           *FailureCause   `json:"why,omitempty" doc:"Why the server was asked"`
	Job           string          `json:"job" doc:"Of a live listing; empty of the catalogue's"`
	State         string          `json:"state" doc:"The job's; succeeded of the catalogue's"`
	Over          bool            `json:"over"`
	Found         *bool           `json:"found,omitempty" doc:"False where the snapshot has no such folder"`
	Entries       []SnapshotEntry `json:"entries,omitempty"`
	Truncated     bool            `json:"truncated,omitempty" doc:"The folder has more entries than are listed"`
	NextPageToken string          `json:"next_page_token,omitempty" doc:"For the entries after these; a live listing has no further pages"`
	Failure       *FailureCause   `json:"failure,omitempty"`
}

// SnapshotEntry is one entry of a folder. Names are bytes on the server: where
// they are not UTF-8, the text is escaped and the bytes stand beside it.
type SnapshotEntry struct {
	Name          string `json:"name"`
	NameB64       []byte `json:"name_b64,omitempty"`
	Type          string `json:"type" doc:"file, dir, symlink, dev, chardev, fifo, socket or irregular"`
	Size          int64  `json:"size"`
	Mode          string `json:"mode" doc:"rwxr-xr-x, with a letter for the type before it"`
	ModifiedAt    string `json:"modified_at,omitempty" format:"date-time"`
	UID           uint32 `json:"uid"`
	GID           uint32 `json:"gid"`
	LinkTarget    string `json:"link_target,omitempty"`
	LinkTargetB64 []byte `json:"link_target_b64,omitempty"`
}

// typeLetters begin an entry's mode, as ls has them.
var typeLetters = map[wire.NodeType]string{
	wire.NodeFile: "-", wire.NodeDir: "d", wire.NodeSymlink: "l", wire.NodeDevice: "b", wire.NodeCharDev: "c", wire.NodeFIFO: "p", wire.NodeSocket: "s",
}

func viewEntryOf(n wire.Node) SnapshotEntry {
	e := SnapshotEntry{Type: string(n.Type), Size: n.Size, Mode: modeText(n.Type, n.Mode),
		ModifiedAt: controlplane.Instant(controlplane.FromMillis(n.MTime)), UID: n.UID, GID: n.GID}
	e.Name, e.NameB64 = pathText(n.Name)
	e.LinkTarget, e.LinkTargetB64 = pathText(n.LinkTarget)
	return e
}

func viewFolder(f backups.Folder) SnapshotFolder {
	v := SnapshotFolder{Snapshot: f.Snapshot.ID, Source: string(f.Source), Why: whyCatalogue(f.Why), State: string(jobs.Succeeded), Over: true}
	v.Path, v.PathB64 = pathText(f.Path)
	if f.Source == backups.SourceLive {
		v.Job, v.State, v.Over, v.Failure = f.Job.ID, string(f.Job.State), f.Job.State.Terminal(), whyJob(f.Job)
	}
	if f.Listing == nil {
		return v
	}
	v.Found, v.Truncated, v.Entries = &f.Listing.Found, f.Listing.Truncated, make([]SnapshotEntry, len(f.Listing.Nodes))
	for i, n := range f.Listing.Nodes {
		v.Entries[i] = viewEntryOf(n)
	}
	if n := len(f.Listing.Nodes); v.Truncated && n > 0 && f.Source == backups.SourceCatalogue {
		v.NextPageToken = base64.RawURLEncoding.EncodeToString(f.Listing.Nodes[n-1].Name)
	}
	return v
}

// folderOut is 200 with what came of the listing, or 202 while it goes on.
type folderOut struct {
	Status   int
	Location string `header:"Location"`
	Body     SnapshotFolder
}

func (b *backupAPI) registerSnapshots(a *API) {
	type listIn struct {
		PageIn
		Customer string `query:"customer" doc:"Slug or id"`
		Server   string `query:"server" doc:"Name or id"`
		Plan     string `query:"plan"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/snapshots", Name: "snapshot.list", Summary: "List snapshots by arrival, newest first",
		Audience: policy.SignedIn, Permission: policy.SnapshotRead},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[Snapshot], error) {
			server, customer, err := b.refs(ctx, scope, in.Server, in.Customer)
			if err != nil {
				return nil, err
			}
			items, next, err := b.Backups.Snapshots(ctx, scope, backups.SnapshotFilter{Customer: customer, Server: server, Plan: in.Plan,
				Limit: in.PageSize, PageToken: in.PageToken})
			return listOf(items, next, viewSnapshot), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/snapshots/{id}", Name: "snapshot.show", Summary: "Show a snapshot", Audience: policy.SignedIn, Permission: policy.SnapshotRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[Snapshot], error) {
			s, err := b.Backups.Snapshot(ctx, scope, in.ID)
			return &One[Snapshot]{Body: viewSnapshot(s)}, err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/snapshots/{id}/files", Name: "snapshot.files", Summary: "List a folder: from the catalogue, else live from the server; 202 while that goes on",
		Audience: policy.SignedIn, Permission: policy.FileRead},
		b.folder)
}

type folderIn struct {
	IDIn
	PathIn
	PageToken string `query:"page_token" maxLength:"1000" doc:"next_page_token of the page before"`
	PageSize  int    `query:"page_size" minimum:"1" maximum:"5000" default:"5000"`
	Wait      string `query:"wait" doc:"Wait until the listing is there, at most this long: 30s"`
}

// PathIn names a path in a query.
type PathIn struct {
	Path    string `query:"path" doc:"A folder is / where neither is sent"`
	PathB64 string `query:"path_b64" doc:"The path's bytes, base64, where it is not UTF-8"`
}

func (in PathIn) bytes() ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(in.PathB64)
	if err != nil {
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/path_b64", Message: "Send the path's bytes as base64."})
	}
	return pathBytes(in.Path, raw)
}

// folder lists a folder of a snapshot.
func (b *backupAPI) folder(ctx context.Context, scope policy.Scope, in *folderIn) (*folderOut, error) {
	d, err := waited(in.Wait)
	if err != nil {
		return nil, err
	}
	dir, err := in.bytes()
	if err != nil {
		return nil, err
	}
	after, err := base64.RawURLEncoding.DecodeString(in.PageToken)
	if err != nil {
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "Use the token of the page before."})
	}
	f, err := b.Backups.LookAfter(ctx, scope, in.ID, dir, after, in.PageSize, d)
	if err != nil {
		return nil, err
	}
	if len(after) > 0 && f.Source == backups.SourceLive {
		return nil, controlplane.Errorf(controlplane.CodeConflict, "List the folder from its beginning.", "The catalogue does not answer any more, and the server lists from the first name on")
	}
	out := &folderOut{Status: http.StatusOK, Body: viewFolder(f)}
	if !out.Body.Over {
		out.Status, out.Location = http.StatusAccepted, jobLocation(f.Job.ID)
	}
	return out, nil
}
