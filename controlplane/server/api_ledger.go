package server

import (
	"context"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

type entryView struct {
	ID         string            `json:"id"`
	Seq        int64             `json:"seq" doc:"Place in the customer's chain; -1 until it has one"`
	Leaf       int64             `json:"leaf" doc:"Place in the log's tree; -1 until it has one"`
	Generation int64             `json:"generation"`
	At         string            `json:"at" format:"date-time"`
	Actor      actorView         `json:"actor"`
	Kind       string            `json:"kind"`
	Customer   string            `json:"customer,omitempty"`
	Server     string            `json:"server,omitempty"`
	Subject    string            `json:"subject,omitempty"`
	Data       map[string]any    `json:"data,omitempty"`
	Personal   map[string]string `json:"personal,omitempty"`
	Forgotten  []string          `json:"forgotten,omitempty" doc:"Personal values that were deleted"`
	Hidden     []string          `json:"hidden,omitempty" doc:"Personal values that are not for this reader"`
}

type actorView struct {
	Kind string `json:"kind" enum:"staff,contact,auditor,agent,system"`
	ID   string `json:"id"`
}

// viewEntry shows an entry to the actor of ctx: paths of files to whoever may
// see files, other personal values to whoever may see people.
func viewEntry(ctx context.Context) func(ledger.Item) entryView {
	actor, _ := controlplane.ActorFrom(ctx)
	return func(i ledger.Item) entryView {
		v := entryView{ID: i.ID, Seq: i.Seq, Leaf: i.Leaf, Generation: i.Generation, At: controlplane.Instant(i.At),
			Actor: actorView{Kind: string(i.Actor.Kind), ID: i.Actor.ID}, Kind: i.Kind, Customer: i.Customer, Server: i.Server, Subject: i.Subject,
			Data: i.Data, Personal: map[string]string{}, Forgotten: i.Forgotten}
		for name, value := range i.Personal {
			needs := policy.PeopleRead
			if name == "path" {
				needs = policy.FileRead
			}
			if policy.Can(actor, needs) {
				v.Personal[name] = value
			} else {
				v.Hidden = append(v.Hidden, name)
			}
		}
		slices.Sort(v.Hidden)
		return v
	}
}

type ledgerIn struct {
	PageIn
	Customer string   `query:"customer"`
	Server   string   `query:"server"`
	Subject  string   `query:"subject"`
	Kind     []string `query:"kind"`
}

type checkpointView struct {
	Origin     string `json:"origin"`
	Key        string `json:"key" doc:"Verifier key; compare it with one that you have from elsewhere"`
	Checkpoint string `json:"checkpoint" doc:"Signed note (C2SP tlog-checkpoint)"`
}

type verifiedView struct {
	OK          bool     `json:"ok"`
	Origin      string   `json:"origin"`
	Size        int64    `json:"size"`
	Leaves      int64    `json:"leaves"`
	Pending     int64    `json:"pending" doc:"Entries that have no place in the tree yet"`
	Checkpoints int64    `json:"checkpoints"`
	Chains      int64    `json:"chains"`
	Problems    []string `json:"problems" nullable:"false"`
	More        int64    `json:"more_problems"`
}

func (s *Server) registerLedger() {
	Register(s.api, Op{Method: "GET", Path: "/ledger", Name: "ledger.list", Summary: "What happened, newest first", Audience: policy.SignedIn, Permission: policy.LedgerRead},
		func(ctx context.Context, scope policy.Scope, in *ledgerIn) (*ListOut[entryView], error) {
			items, next, err := s.Ledger.List(ctx, scope, ledger.Filter{Customer: in.Customer, Server: in.Server, Subject: in.Subject, Kinds: in.Kind, Limit: in.PageSize, PageToken: in.PageToken})
			return listOf(items, next, viewEntry(ctx)), err
		})
	Register(s.api, Op{Method: "GET", Path: "/ledger/{id}", Name: "ledger.show", Summary: "Show an entry", Audience: policy.SignedIn, Permission: policy.LedgerRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[entryView], error) {
			i, err := s.Ledger.Get(ctx, scope, in.ID)
			return &One[entryView]{Body: viewEntry(ctx)(i)}, err
		})
	Register(s.api, Op{Method: "GET", Path: "/ledger/{id}/proof", Name: "ledger.proof", Summary: "Prove that an entry is in the log", Audience: policy.SignedIn, Permission: policy.LedgerRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[ledger.Proof], error) {
			p, err := s.Ledger.Prove(ctx, scope, in.ID)
			return &One[ledger.Proof]{Body: p}, err
		})
	Register(s.api, Op{Method: "GET", Path: "/ledger-checkpoint", Name: "ledger.checkpoint", Summary: "The newest signed checkpoint", Audience: policy.SignedIn, Permission: policy.LedgerRead},
		func(ctx context.Context, _ policy.Scope, _ *struct{}) (*One[checkpointView], error) {
			signed, err := s.Ledger.Checkpoint(ctx)
			return &One[checkpointView]{Body: checkpointView{Origin: s.Ledger.Origin(), Key: s.Ledger.PublicKey(), Checkpoint: string(signed)}}, err
		})
	Register(s.api, Op{Method: "POST", Path: "/ledger-verification", Name: "ledger.verify", Summary: "Check the whole log", Audience: policy.Staff, Permission: policy.LedgerRead},
		func(ctx context.Context, scope policy.Scope, _ *struct{}) (*One[verifiedView], error) {
			r, err := s.Ledger.Verify(ctx, scope, ledger.VerifyOptions{})
			v := verifiedView{OK: r.OK(), Origin: r.Origin, Size: r.Size, Leaves: r.Leaves, Pending: r.Pending, Checkpoints: r.Checkpoints, Chains: r.Chains, Problems: []string{}, More: r.More}
			for _, p := range r.Problems {
				v.Problems = append(v.Problems, p.String())
			}
			return &One[verifiedView]{Body: v}, err
		})
}
