package server

import (
	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
)

// Restore is files on their way out of snapshots. What is fetched (download,
// archive) can be fetched at content_url while its state is ready; in_place
// waits as previewed to be confirmed.
type Restore struct {
	ID           string        `json:"id"`
	Customer     string        `json:"customer"`
	Server       string        `json:"server" doc:"That it is from"`
	Snapshot     string        `json:"snapshot" doc:"The first that was chosen from"`
	Job          string        `json:"job" doc:"At work now, or the latest"`
	Kind         string        `json:"kind" enum:"download,put_back,archive,in_place"`
	State        string        `json:"state" enum:"active,checking,previewing,previewed,applying,ready,undoing,undone,failed,cancelled,expired"`
	Busy         bool          `json:"busy" doc:"A job is at work"`
	Over         bool          `json:"over" doc:"Nothing more happens unless somebody asks for it"`
	Path         string        `json:"path" doc:"The first thing that was chosen"`
	PathB64      []byte        `json:"path_b64,omitempty" doc:"The bytes, where the path is not UTF-8"`
	Picked       int           `json:"picked" doc:"How many files and folders were chosen"`
	TargetServer string        `json:"target_server,omitempty" doc:"Where files go on a server"`
	Target       string        `json:"target,omitempty" doc:"Where a file that is put back is on the server; the folder of in_place"`
	TargetB64    []byte        `json:"target_b64,omitempty"`
	Placement    string        `json:"placement,omitempty" enum:"original,folder"`
	Conflict     string        `json:"conflict,omitempty" enum:"overwrite,keep,beside"`
	Special      bool          `json:"special,omitempty"`
	Format       string        `json:"format,omitempty" enum:"zip,tar.gz" doc:"Of an archive"`
	Name         string        `json:"name,omitempty" doc:"To save as what is fetched"`
	NameB64      []byte        `json:"name_b64,omitempty"`
	Size         int64         `json:"size" doc:"Of the file or archive as it is fetched"`
	SHA256       string        `json:"sha256,omitempty" doc:"Hex, of the same"`
	Files        int64         `json:"files" doc:"In an archive, or written"`
	Bytes        int64         `json:"bytes" doc:"Of these, unpacked"`
	Incomplete   bool          `json:"incomplete" doc:"Something that was asked for is missing from it"`
	MissingCount int64         `json:"missing_count"`
	Missing      []MissingFile `json:"missing,omitempty" doc:"The first of these; not in lists"`
	Preview      *Tally        `json:"preview,omitempty"`
	Result       *Tally        `json:"result,omitempty"`
	Undo         *Tally        `json:"undo,omitempty"`
	ContentURL   string        `json:"content_url,omitempty"`
	CancelAsked  bool          `json:"cancel_asked"`
	Resumable    bool          `json:"resumable,omitempty" doc:"It failed in the middle; confirming it again goes on"`
	MailMe       bool          `json:"mail_me"`
	CreatedBy    string        `json:"created_by"`
	CreatedAt    string        `json:"created_at" format:"date-time"`
	ConfirmedBy  string        `json:"confirmed_by,omitempty"`
	ConfirmedAt  string        `json:"confirmed_at,omitempty" format:"date-time"`
	FinishedAt   string        `json:"finished_at,omitempty" format:"date-time"`
	ExpiresAt    string        `json:"expires_at,omitempty" format:"date-time" doc:"When a download or a list is deleted, or a preview can be confirmed no more"`
	UndoUntil    string        `json:"undo_until,omitempty" format:"date-time" doc:"Until when it can be taken back"`
	FetchedAt    string        `json:"fetched_at,omitempty" format:"date-time"`
	Assist       *Assist       `json:"assist,omitempty" doc:"Under which one of us restored it"`
	Failure      *FailureCause `json:"failure,omitempty"`
	UndoFailure  *FailureCause `json:"undo_failure,omitempty" doc:"Why the latest undo came to nothing"`
}

// MissingFile is what was asked for and could not be read from the backup.
type MissingFile struct {
	Path    string       `json:"path"`
	PathB64 []byte       `json:"path_b64,omitempty"`
	Why     FailureCause `json:"why"`
}

// Tally is what a step on a server came to, in figures. Its list is at
// /restores/{id}/changes.
type Tally struct {
	Counts       map[string]int64 `json:"counts" doc:"create, replace, same, keep, beside, refuse; of an undo removed, returned, changed"`
	Total        int64            `json:"total"`
	Changing     int64            `json:"changing" doc:"How many of them change something on the server"`
	Bytes        int64            `json:"bytes" doc:"That are, or would be, written"`
	FreeBytes    int64            `json:"free_bytes,omitempty" doc:"Where they go; of a preview"`
	SafetyBytes  int64            `json:"safety_bytes" doc:"Of the copy of what is replaced"`
	MissingCount int64            `json:"missing_count"`
}

func viewTally(t *backups.Tally) *Tally {
	if t == nil {
		return nil
	}
	v := &Tally{Counts: map[string]int64{}, Total: t.Total(), Changing: t.Changing(), Bytes: t.Bytes, FreeBytes: t.FreeBytes, SafetyBytes: t.SafetyBytes, MissingCount: t.MissingCount}
	for act, n := range t.Counts {
		v.Counts[string(act)] = n
	}
	return v
}

func viewRestore(r backups.Restore) Restore {
	v := Restore{ID: r.ID, Customer: r.Customer, Server: r.Server, Snapshot: r.Snapshot, Job: r.Job, Kind: string(r.Kind), State: string(r.State),
		Busy: r.State.Busy(), Over: r.State.Over(), Picked: r.Items, TargetServer: r.TargetServer, Placement: string(r.Placement), Conflict: string(r.Conflict),
		Special: r.Special, Format: string(r.Format), Size: r.Size, SHA256: r.SHA256, Files: r.Files, Bytes: r.Bytes, Incomplete: r.Incomplete(),
		MissingCount: r.MissingCount, Preview: viewTally(r.Preview), Result: viewTally(r.Result), Undo: viewTally(r.Undo), CancelAsked: r.CancelAsked,
		Resumable: r.Resumable, MailMe: r.MailMe, CreatedBy: r.CreatedBy, CreatedAt: controlplane.Instant(r.CreatedAt), ConfirmedBy: r.ConfirmedBy,
		ConfirmedAt: controlplane.Instant(r.ConfirmedAt), FinishedAt: controlplane.Instant(r.FinishedAt), ExpiresAt: controlplane.Instant(r.ExpiresAt),
		UndoUntil: controlplane.Instant(r.UndoUntil), FetchedAt: controlplane.Instant(r.FetchedAt)}
	v.Path, v.PathB64 = pathText(r.Path)
	v.Target, v.TargetB64 = pathText(r.Target)
	for _, p := range r.Missing {
		m := MissingFile{Why: *failureOf(string(p.Cause))}
		m.Path, m.PathB64 = pathText(p.Path)
		v.Missing = append(v.Missing, m)
	}
	if r.Fetchable() {
		v.Name, v.NameB64 = pathText([]byte(r.Name()))
		if r.State == backups.RestoreReady {
			v.ContentURL = Base + "/restores/" + r.ID + "/content"
		}
	}
	if r.Assist != nil {
		a := viewAssist(*r.Assist)
		v.Assist = &a
	}
	v.Failure = restoreFailure(r)
	if r.UndoFailure != "" {
		v.UndoFailure = failureOf(r.UndoFailure)
	}
	return v
}

// restoreFailure says why a restore did not come to its end; nil where it did
// or may yet.
func restoreFailure(r backups.Restore) *FailureCause {
	switch {
	case r.State == backups.RestoreFailed:
		return failureOf(r.FailureCause)
	case r.State == backups.RestoreCancelled && r.FailureCause != "":
		return failureOf(r.FailureCause)
	case r.State == backups.RestoreCancelled:
		return &FailureCause{Cause: string(r.State), Message: "It was cancelled.", Next: "Start it again if the files are wanted after all."}
	case r.State == backups.RestoreExpired && r.Kind == backups.RestoreInPlace:
		return &FailureCause{Cause: string(r.State), Message: "Nobody confirmed this preview in time.", Next: "Start it again: what is on the server may have changed since."}
	case r.State == backups.RestoreExpired:
		return &FailureCause{Cause: string(r.State), Message: "This download is no longer kept.", Next: "Fetch the file from its snapshot again."}
	}
	return nil
}

// RestoreChange is what happens, or happened, to one path on a server.
type RestoreChange struct {
	Path    string        `json:"path"`
	PathB64 []byte        `json:"path_b64,omitempty" doc:"The bytes, where the path is not UTF-8"`
	Type    string        `json:"type"`
	Act     string        `json:"act" enum:"create,replace,same,keep,beside,refuse,removed,returned,changed"`
	Size    int64         `json:"size"`
	SHA256  string        `json:"sha256,omitempty" doc:"Hex, of files that were written"`
	Note    string        `json:"note,omitempty" doc:"setuid_removed, case_collision, hard_link"`
	Why     *FailureCause `json:"why,omitempty" doc:"Of refuse"`
}

func viewChange(c wire.Change) RestoreChange {
	v := RestoreChange{Type: string(c.Type), Act: string(c.Act), Size: c.Size, SHA256: c.SHA256, Note: c.Note}
	v.Path, v.PathB64 = pathText(c.Path)
	if c.Act == wire.ActRefuse || c.Cause != "" {
		v.Why = failureOf(string(c.Cause))
	}
	return v
}
