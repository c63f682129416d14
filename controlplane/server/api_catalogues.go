package server

import (
	"context"
	"net/http"
	"strings"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// Catalogue is how a plan's catalogue stands: what we keep of the names in its
// snapshots, so that they can be browsed and searched without its server.
type Catalogue struct {
	Plan       string        `json:"plan"`
	Customer   string        `json:"customer"`
	Server     string        `json:"server"`
	Status     string        `json:"status" enum:"ready,building,damaged,declined,off" doc:"declined: the customer alone holds the key, and has not said yes"`
	Why        *FailureCause `json:"why,omitempty" doc:"Why not every snapshot is in it"`
	Failure    *FailureCause `json:"failure,omitempty" doc:"What stood in the way of the latest attempt to list one"`
	Generation int64         `json:"generation" doc:"Counts the rebuilds"`
	Snapshots  int           `json:"snapshots" doc:"That are in it"`
	Behind     int           `json:"behind" doc:"That are not"`
	Entries    int64         `json:"entries"`
	Bytes      int64         `json:"bytes" doc:"As it is kept"`
	Choosable  bool          `json:"choosable" doc:"The customer decides whether there is one"`
	UpdatedAt  string        `json:"updated_at,omitempty" format:"date-time"`
}

func viewCatalogue(s backups.CatalogueState) Catalogue {
	v := Catalogue{Plan: s.Plan, Customer: s.Customer, Server: s.Server, Status: string(s.Status), Why: whyCatalogue(s.Why), Generation: s.Generation,
		Snapshots: s.Snapshots, Behind: s.Behind, Entries: s.Entries, Bytes: s.Bytes, Choosable: s.Choosable, UpdatedAt: controlplane.Instant(s.UpdatedAt)}
	if s.Cause != "" {
		v.Failure = failureOf(s.Cause)
	}
	return v
}

// whys say why a catalogue does not know a snapshot, and what to do.
var whys = map[string][2]string{
	backups.WhyNotChosen: {"The customer alone holds the key, and has not said yes to a list of the names.", "An owner of the account can say yes on the plan's page, or with ostler plan catalogue."},
	backups.WhyOff:       {"The list of the names is turned off.", "Turn it on with ostler plan catalogue PLAN --on, or on the plan's page."},
	backups.WhyBuilding:  {"The list of the names is being made.", "Wait a little; it comes by itself. A folder can be listed meanwhile."},
	backups.WhyWaiting:   {"The server has not listed it yet.", "It comes by itself once the server and its store answer."},
	backups.WhyFailed:    {"The server could not list it.", "Look into the snapshot's folders instead; we know of it."},
	backups.WhySkipped:   {"It is older than what is in the list.", "A rebuild has it: ostler plan catalogue PLAN --rebuild."},
	backups.WhyDamaged:   {"The list of the names is damaged where it is kept.", "It is being made anew. Look into the snapshots' folders meanwhile."},
	backups.WhyUnread:    {"Where the list of the names is kept does not answer.", "Try again in a moment. Look into the snapshot's folders meanwhile."},
	backups.WhyGone:      {"The store has this snapshot no more.", "Choose another one. We know of it and look into it."},
}

// whyCatalogue explains a text key of backups; nil for none.
func whyCatalogue(key string) *FailureCause {
	if key == "" {
		return nil
	}
	said, ok := whys[key]
	if !ok {
		said = whys[backups.WhyBuilding]
	}
	return &FailureCause{Cause: strings.TrimPrefix(key, "catalogue."), Message: said[0], Next: said[1]}
}

func (b *backupAPI) registerCatalogues(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/plans/{id}/catalogue", Name: "catalogue.show", Summary: "Show how a plan's catalogue of names stands",
		Audience: policy.SignedIn, Permission: policy.PlanRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[Catalogue], error) {
			return b.catalogue(ctx, scope, in.ID, nil)
		})
	type setIn struct {
		IDIn
		Body struct {
			On bool `json:"on" doc:"False deletes it"`
		}
	}
	Register(a, Op{Method: http.MethodPut, Path: "/plans/{id}/catalogue", Name: "catalogue.set", Summary: "Turn a plan's catalogue on or off; off deletes it",
		Audience: policy.SignedIn, Permission: policy.PlanWrite},
		func(ctx context.Context, scope policy.Scope, in *setIn) (*One[Catalogue], error) {
			return b.catalogue(ctx, scope, in.ID, b.Backups.SetCatalogue(ctx, scope, in.ID, in.Body.On))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/plans/{id}/catalogue/rebuild", Name: "catalogue.rebuild", Summary: "Make a plan's catalogue anew from all snapshots",
		Audience: policy.SignedIn, Permission: policy.PlanWrite},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[Catalogue], error) {
			return b.catalogue(ctx, scope, in.ID, b.Backups.RebuildCatalogue(ctx, scope, in.ID))
		})
}

// catalogue shows a plan's catalogue, unless what was done to it failed.
func (b *backupAPI) catalogue(ctx context.Context, scope policy.Scope, plan string, err error) (*One[Catalogue], error) {
	if err != nil {
		return nil, err
	}
	s, err := b.Backups.CatalogueOf(ctx, scope, plan)
	return &One[Catalogue]{Body: viewCatalogue(s)}, err
}
