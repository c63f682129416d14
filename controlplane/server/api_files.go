package server

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// SnapshotRef names a snapshot where it is not the matter.
type SnapshotRef struct {
	ID        string `json:"id"`
	ArrivedAt string `json:"arrived_at" format:"date-time"`
}

func refOf(s backups.Snapshot) SnapshotRef {
	return SnapshotRef{ID: s.ID, ArrivedAt: controlplane.Instant(s.ArrivedAt)}
}

func refOrNone(s *backups.Snapshot) *SnapshotRef {
	if s == nil {
		return nil
	}
	r := refOf(*s)
	return &r
}

// FoundFile is one path of one plan with what is known of it over all snapshots.
type FoundFile struct {
	Customer     string       `json:"customer"`
	Server       string       `json:"server"`
	Plan         string       `json:"plan"`
	Path         string       `json:"path"`
	PathB64      []byte       `json:"path_b64,omitempty" doc:"The bytes, where the path is not UTF-8"`
	Type         string       `json:"type"`
	Size         int64        `json:"size" doc:"Of the newest version that answers; with on, of the one of that day"`
	ModifiedAt   string       `json:"modified_at,omitempty" format:"date-time"`
	Versions     int          `json:"versions"`
	In           SnapshotRef  `json:"in" doc:"The newest snapshot that has that version: restore it from there"`
	First        SnapshotRef  `json:"first" doc:"The oldest snapshot that has it"`
	Last         SnapshotRef  `json:"last" doc:"The newest snapshot that has it"`
	Present      bool         `json:"present" doc:"The newest snapshot has it"`
	MissingSince *SnapshotRef `json:"missing_since,omitempty" doc:"The first snapshot after the last that has it"`
	Unread       bool         `json:"unread,omitempty" doc:"The backup of missing_since could not read it"`
}

func viewFound(f backups.FoundFile) FoundFile {
	v := FoundFile{Customer: f.Customer, Server: f.Server, Plan: f.Plan, Type: string(f.Type), Size: f.Size, ModifiedAt: controlplane.Instant(f.MTime),
		Versions: f.Versions, In: refOf(f.In), First: refOf(f.First), Last: refOf(f.Last), Present: f.Present, MissingSince: refOrNone(f.MissingSince), Unread: f.Unread}
	v.Path, v.PathB64 = pathText(f.Path)
	return v
}

// FilesPage is a page of a search, with what was searched.
type FilesPage struct {
	Page[FoundFile]
	Snapshots int          `json:"snapshots" doc:"How many were searched"`
	Servers   []string     `json:"servers" nullable:"false" doc:"Whose"`
	Behind    []PlanBehind `json:"behind" nullable:"false" doc:"Plans of which not every snapshot was searched"`
}

// PlanBehind is a plan of which a search did not see every snapshot.
type PlanBehind struct {
	Plan      string        `json:"plan"`
	Name      string        `json:"name"`
	Server    string        `json:"server"`
	Snapshots int           `json:"snapshots" doc:"That were not searched"`
	Why       *FailureCause `json:"why,omitempty"`
}

// FileHistory is everything known of one path of a plan.
type FileHistory struct {
	Customer    string        `json:"customer"`
	Server      string        `json:"server"`
	Plan        string        `json:"plan"`
	Path        string        `json:"path"`
	PathB64     []byte        `json:"path_b64,omitempty" doc:"The bytes, where the path is not UTF-8"`
	Versions    []FileVersion `json:"versions" nullable:"false" doc:"Newest first"`
	Present     bool          `json:"present" doc:"The newest snapshot has it"`
	MissingFrom *SnapshotRef  `json:"missing_from,omitempty" doc:"The first snapshot after the last that has it"`
	Unread      bool          `json:"unread,omitempty" doc:"The backup of missing_from could not read it"`
	Source      string        `json:"source" enum:"catalogue,live"`
	Behind      int           `json:"behind" doc:"Snapshots of which it does not know"`
	Why         *FailureCause `json:"why,omitempty" doc:"Why not"`
}

// FileVersion is a path as it was in some snapshots.
type FileVersion struct {
	Type          string      `json:"type"`
	Size          int64       `json:"size"`
	ModifiedAt    string      `json:"modified_at,omitempty" format:"date-time"`
	Mode          string      `json:"mode"`
	UID           uint32      `json:"uid"`
	GID           uint32      `json:"gid"`
	LinkTarget    string      `json:"link_target,omitempty"`
	LinkTargetB64 []byte      `json:"link_target_b64,omitempty"`
	FirstSeen     SnapshotRef `json:"first_seen"`
	LastSeen      SnapshotRef `json:"last_seen"`
	Copies        int         `json:"copies" doc:"How many snapshots have it"`
}

func viewHistory(h backups.FileHistory) FileHistory {
	v := FileHistory{Customer: h.Customer, Server: h.Server, Plan: h.Plan, Versions: make([]FileVersion, len(h.Versions)), Present: h.Present,
		MissingFrom: refOrNone(h.MissingFrom), Unread: h.Unread, Source: string(h.Source), Behind: h.Behind, Why: whyCatalogue(h.Why)}
	v.Path, v.PathB64 = pathText(h.Path)
	for i, x := range h.Versions {
		f := FileVersion{Type: string(x.Type), Size: x.Size, ModifiedAt: controlplane.Instant(x.MTime), Mode: modeText(x.Type, x.Mode), UID: x.UID, GID: x.GID,
			FirstSeen: refOf(x.FirstSeen), LastSeen: refOf(x.LastSeen), Copies: x.Copies}
		f.LinkTarget, f.LinkTargetB64 = pathText(x.Link)
		v.Versions[i] = f
	}
	return v
}

// modeText is a mode as ls has it: the type's letter, then rwxr-xr-x.
func modeText(t wire.NodeType, mode uint32) string {
	letter := typeLetters[t]
	if letter == "" {
		letter = "?"
	}
	return letter + os.FileMode(mode).Perm().String()[1:]
}

type findIn struct {
	PageIn
	Text         string    `query:"q" maxLength:"1024" doc:"Part of the name, or a pattern with * and ?; .ods is an extension; with a slash it is compared with the whole path"`
	Customer     string    `query:"customer" doc:"Slug or id; needed where one may see several"`
	Server       string    `query:"server" doc:"Name or id"`
	Plan         string    `query:"plan"`
	Ext          string    `query:"ext" maxLength:"100" doc:"Extension: ods"`
	Type         string    `query:"type" enum:"file,dir,symlink,dev,chardev,fifo,socket,irregular"`
	MinSize      int64     `query:"min_size" minimum:"0" doc:"Bytes"`
	MaxSize      int64     `query:"max_size" minimum:"0" doc:"Bytes"`
	ModifiedFrom time.Time `query:"modified_from" doc:"At or after this instant"`
	ModifiedTo   time.Time `query:"modified_to" doc:"Before this instant"`
	On           string    `query:"on" doc:"As of a day, 2026-11-18: only each plan's newest snapshot at its end"`
	Beneath      string    `query:"beneath" doc:"Only beneath this folder"`
	BeneathB64   string    `query:"beneath_b64" doc:"The folder's bytes, base64, where it is not UTF-8"`
}

// query reads what a request looks for; names of servers and customers are left.
func (in *findIn) query() (q backups.FindQuery, err error) {
	q = backups.FindQuery{Plan: in.Plan, Text: strings.TrimSpace(in.Text), Ext: in.Ext, Type: wire.NodeType(in.Type), MinSize: in.MinSize, MaxSize: in.MaxSize,
		ModifiedFrom: in.ModifiedFrom, ModifiedTo: in.ModifiedTo, Limit: in.PageSize, PageToken: in.PageToken}
	if in.On != "" {
		if q.On, err = time.Parse(time.DateOnly, in.On); err != nil {
			return q, controlplane.Invalid(controlplane.Field{Pointer: "/on", Message: "Write the day as 2026-11-18."})
		}
	}
	if q.Beneath, err = base64.StdEncoding.DecodeString(in.BeneathB64); err != nil || len(q.Beneath) > 0 && in.Beneath != "" {
		return q, controlplane.Invalid(controlplane.Field{Pointer: "/beneath_b64", Message: "Send the folder's bytes as base64, and no beneath besides."})
	}
	if in.Beneath != "" {
		q.Beneath = []byte(in.Beneath)
	}
	return q, nil
}

type filesOut struct{ Body FilesPage }

func (b *backupAPI) registerFiles(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/files", Name: "file.find", Summary: "Search the names of all snapshots of a customer",
		Audience: policy.SignedIn, Permission: policy.FileRead}, b.find)
	type historyIn struct {
		PathIn
		Plan string `query:"plan" required:"true"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/files/history", Name: "file.history", Summary: "List the versions of one path of a plan, newest first",
		Audience: policy.SignedIn, Permission: policy.FileRead},
		func(ctx context.Context, scope policy.Scope, in *historyIn) (*One[FileHistory], error) {
			file, err := in.bytes()
			if err != nil {
				return nil, err
			}
			h, err := b.Backups.History(ctx, scope, in.Plan, file)
			return &One[FileHistory]{Body: viewHistory(h)}, err
		})
}

func (b *backupAPI) find(ctx context.Context, scope policy.Scope, in *findIn) (*filesOut, error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	if q.Server, q.Customer, err = b.refs(ctx, scope, in.Server, in.Customer); err != nil {
		return nil, err
	}
	found, err := b.Backups.Find(ctx, scope, q)
	if err != nil {
		return nil, asParameter(err, "/text", "/q")
	}
	out := &filesOut{FilesPage{Page: listOf(found.Files, found.Next, viewFound).Body, Snapshots: found.Snapshots, Servers: some(found.Servers), Behind: []PlanBehind{}}}
	for _, p := range found.Behind {
		out.Body.Behind = append(out.Body.Behind, PlanBehind{Plan: p.Plan, Name: p.Name, Server: p.Server, Snapshots: p.Snapshots, Why: whyCatalogue(p.Why)})
	}
	return out, nil
}

// asParameter calls a wrong field what the request calls it.
func asParameter(err error, field, parameter string) error {
	var e *controlplane.Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	named.Fields = nil
	for _, f := range e.Fields {
		if f.Pointer == field {
			f.Pointer = parameter
		}
		named.Fields = append(named.Fields, f)
	}
	return &named
}
