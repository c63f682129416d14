package server

import (
	"context"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// bodyIn is the input of an operation that takes a body and nothing else.
type bodyIn[B any] struct{ Body B }

// withBody is the input of an act on one thing.
type withBody[B any] struct {
	IDIn
	Body B
}

// putIn replaces one thing.
type putIn[B any] struct {
	IDIn
	IfMatch string `header:"If-Match" doc:"The ETag that the change is made from"`
	Body    B
}

// registerWhole adds a list that its slice gives in one piece.
func registerWhole[S, T any](a *API, op Op, all func(context.Context, policy.Scope) ([]S, error), id func(S) string, view func(S) T) {
	Register(a, op, func(ctx context.Context, scope policy.Scope, in *PageIn) (*ListOut[T], error) {
		items, err := all(ctx, scope)
		return onePage(items, err, id, view, *in)
	})
}

// registerAmong adds looking at one thing of a list that its slice gives in one piece.
func registerAmong[S, T any](a *API, op Op, noun string, all func(context.Context, policy.Scope) ([]S, error), id func(S) string, one func(S, error) (*One[T], error)) {
	Register(a, op, func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[T], error) {
		items, err := all(ctx, scope)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(items, func(s S) bool { return id(s) == in.ID })
		if i < 0 {
			return nil, controlplane.NotFound(noun)
		}
		return one(items[i], nil)
	})
}

// onePage is one page of a list that came in one piece.
func onePage[S, T any](all []S, err error, id func(S) string, view func(S) T, in PageIn) (*ListOut[T], error) {
	if err != nil {
		return nil, err
	}
	items, next, err := pageOf(all, id, in)
	return listOf(items, next, view), err
}

// registerPut adds a change of one thing, made from the version that If-Match names.
func registerPut[B, T any](a *API, op Op, put func(ctx context.Context, scope policy.Scope, id string, version int64, b B) (*One[T], error)) {
	Register(a, op, func(ctx context.Context, scope policy.Scope, in *putIn[B]) (*One[T], error) {
		version, err := ifMatch(in.IfMatch)
		if err != nil {
			return nil, err
		}
		return put(ctx, scope, in.ID, version, in.Body)
	})
}
