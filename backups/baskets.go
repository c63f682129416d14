package backups

import (
	"context"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/policy"
)

// Pick is one file or folder of a snapshot. Path is absolute, raw bytes.
type Pick struct {
	Snapshot string
	Path     []byte
	// Type and Size are what the list showed that it was picked from ("" and -1
	// where that is unknown): used where our catalogue does not know better.
	Type wire.NodeType
	Size int64
}

// Item is a pick in a basket.
type Item struct {
	ID       string // itm_
	Snapshot Snapshot
	// Gone: the snapshot is no more; only its id is filled. Such an item is left
	// out of the sums, and refused in an Order.
	Gone  bool
	Path  []byte
	Type  wire.NodeType // "" where it is not known
	Files int64         // 1 for a file
	Bytes int64
	Known bool // Files and Bytes are
}

// Basket is what a person has chosen of one customer's snapshots and not asked
// for yet. It stays until it is cleared.
type Basket struct {
	Customer string
	Items    []Item // by server, then by path
	Servers  []string
	// Files and Bytes are sums over what is known; Known says that all is.
	Files, Bytes int64
	Known        bool
	// Seconds estimates how long it takes, by the customer's earlier restores;
	// 0 where nothing is known to tell by.
	Seconds int64
}

// Picks are the basket's items as an Order takes them, without those that are gone.
func (b Basket) Picks() []Pick {
	var out []Pick
	for _, i := range b.Items {
		if !i.Gone {
			out = append(out, Pick{Snapshot: i.Snapshot.ID, Path: i.Path, Type: i.Type, Size: i.Bytes})
		}
	}
	return out
}

// maxPathBytes bounds the paths of an order together: the parameters of a job
// are signed, and may have 1 MiB as base64.
const maxPathBytes = 512 << 10

// basketTopic is what is published when a person's basket changes.
func basketTopic(person string) string { return "basket:" + person }

// measureTime bounds how long one look at the basket measures folders.
const measureTime = 2 * time.Second

// Basket returns what the actor has chosen of a customer ("" is the scope's
// only one). Permission: file.read. It changes with the topic "basket:<person>".
func (s *Service) Basket(ctx context.Context, scope policy.Scope, customer string) (Basket, error) {
	return Basket{}, notYet()
}

// BasketAdd puts picks into the actor's basket and returns it. What is there
// already, and what lies beneath a chosen folder of the same snapshot, is
// folded into that. Permission: file.read. Errors: not_found for a snapshot
// outside the scope, invalid for a path that cannot be chosen or where the
// basket is full (wire.MaxSelected).
func (s *Service) BasketAdd(ctx context.Context, scope policy.Scope, customer string, picks []Pick) (Basket, error) {
	return Basket{}, notYet()
}

// BasketRemove takes items out by their ids and returns the basket; an id that
// is not in it changes nothing. Permission: file.read.
func (s *Service) BasketRemove(ctx context.Context, scope policy.Scope, customer string, ids []string) (Basket, error) {
	return Basket{}, notYet()
}

// BasketClear empties the actor's basket. Permission: file.read.
func (s *Service) BasketClear(ctx context.Context, scope policy.Scope, customer string) error {
	return notYet()
}

// BasketCount returns how many items the actor's basket holds. Permission: file.read.
func (s *Service) BasketCount(ctx context.Context, scope policy.Scope, customer string) (int, error) {
	return 0, notYet()
}
