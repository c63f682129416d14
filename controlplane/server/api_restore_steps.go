package server

import (
	"context"
	"net/http"

	"ostler/backups"
	"ostler/controlplane/policy"
)

// ChangesPage is a part of a list of changes.
type ChangesPage struct {
	Items  []RestoreChange `json:"items" nullable:"false" doc:"What differs comes before what is the same"`
	Offset int             `json:"offset"`
	Total  int64           `json:"total" doc:"How many there are in all"`
}

type changesIn struct {
	IDIn
	List   string `query:"list" enum:"preview,result,undo" default:"preview"`
	Offset int    `query:"offset" minimum:"0"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// registerRestoreSteps adds what a person does with a restore that was started.
func (b *backupAPI) registerRestoreSteps(a *API) {
	for _, step := range []struct {
		name, summary string
		do            func(context.Context, policy.Scope, string) (backups.Restore, error)
	}{
		{"confirm", "Carry out a restore that was previewed, or go on with one that stopped in the middle", b.Backups.ConfirmRestore},
		{"undo", "Take a restore on a server back", b.Backups.UndoRestore},
		{"cancel", "Stop a restore", b.Backups.CancelRestore},
	} {
		Register(a, Op{Method: http.MethodPost, Path: "/restores/{id}/" + step.name, Name: "restore." + step.name, Summary: step.summary,
			Audience: policy.SignedIn, Permission: policy.RestoreRun, Status: http.StatusAccepted},
			func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[Restore], error) {
				r, err := step.do(ctx, scope, in.ID)
				return &One[Restore]{Location: jobLocation(r.Job), Body: viewRestore(r)}, err
			})
	}
	Register(a, Op{Method: http.MethodGet, Path: "/restores/{id}/changes", Name: "restore.changes", Summary: "List what a restore would change on the server, changed, or took back",
		Audience: policy.SignedIn, Permission: policy.RestoreRun},
		func(ctx context.Context, scope policy.Scope, in *changesIn) (*One[ChangesPage], error) {
			items, total, err := b.Backups.Changes(ctx, scope, in.ID, backups.ChangeList(in.List), in.Offset, in.Limit)
			if err != nil {
				return nil, err
			}
			return &One[ChangesPage]{Body: ChangesPage{Items: listOf(items, "", viewChange).Body.Items, Offset: in.Offset, Total: total}}, nil
		})
	Register(a, Op{Method: http.MethodGet, Path: "/restores/{id}/items", Name: "restore.items", Summary: "List what was chosen for a restore",
		Audience: policy.SignedIn, Permission: policy.RestoreRun},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*ListOut[Picked], error) {
			items, err := b.Backups.RestoreItems(ctx, scope, in.ID)
			return listOf(items, "", viewPicked), err
		})
}

// Picked is what was chosen for a restore.
type Picked struct {
	Pick
	Chosen    string `json:"chosen,omitempty" doc:"What was chosen, where that lies above the customer's folders: path is the part of it that is restored"`
	ChosenB64 []byte `json:"chosen_b64,omitempty" doc:"The bytes, where it is not UTF-8"`
}

func viewPicked(p backups.Pick) Picked {
	v := Picked{Pick: Pick{Snapshot: p.Snapshot}}
	v.Path, v.PathB64 = pathText(p.Path)
	if len(p.Chosen) > 0 {
		v.Chosen, v.ChosenB64 = pathText(p.Chosen)
	}
	return v
}
