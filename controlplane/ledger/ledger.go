// Package ledger is the tamper-evident log of everything that happened. It
// keeps true that an entry commits with the change it tells of, that every
// entry has one place in its customer's gapless chain and in one RFC 6962 tree,
// that no checkpoint is shown before it is stored, and that a changed, removed,
// moved or invented entry is found and named.
//
// An appended entry has no number yet. The sequencer gives it one within about
// a second; until then it is protected by the database only, and says so by
// Seq -1. Personal values stand outside the tree: a leaf holds commitments, and
// the values can be forgotten while every proof still verifies.
package ledger

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets"
)

// Topic is the bus topic that wakes the sequencer.
const Topic = "ledger"

// The kinds of entry that the ledger itself appends.
const (
	KindOpened    = "log.opened"       // the first leaf of a log
	KindForgotten = "ledger.forgotten" // personal values of entries were deleted
)

// Bus wakes the sequencer; *bus.Bus is one.
type Bus interface {
	Publish(topics ...string)
	Subscribe(topics ...string) (ch <-chan string, cancel func())
}

// Options says which log to keep.
type Options struct {
	// Origin names the log without its generation: "demo.invalid/ostler". The
	// log's own origin line is Origin + "/g" + generation.
	Origin string
	// Log receives what the sequencer meets; nil discards.
	Log *slog.Logger
	// Bus wakes the sequencer at once; nil leaves the sweep.
	Bus Bus
	// SimulatedClock has the first leaf say that the clock was simulated.
	SimulatedClock bool
	// Generation is 0 for the newest log there is (or the first). The newest
	// plus one opens a new log: after a restore from an older backup.
	Generation int64
	// PreviousCheckpoint is the highest checkpoint known of the log before, for
	// a new generation; "" means the newest one in this database.
	PreviousCheckpoint string
}

// Ledger appends, sequences, lists, proves and verifies. It is safe for
// concurrent use.
type Ledger struct {
	d          *db.DB
	k          *secrets.Keeper
	log        *slog.Logger
	bus        Bus
	base       string // the origin without its generation
	generation int64
	signer     *signer
	holder     string // names this process in the lease
	key        string // the log's verifier key
}

// New opens the ledger of d, and the log itself where there is none: its first
// leaf is "log.opened".
//
// Errors: conflict where the database holds another log, or a newer generation.
func New(d *db.DB, k *secrets.Keeper, o Options) (*Ledger, error) {
	ctx, cancel := context.WithTimeout(controlplane.System(context.Background(), "ledger"), time.Minute)
	defer cancel()
	l := &Ledger{d: d, k: k, log: o.Log, bus: o.Bus, holder: rand.Text()}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if err := k.EnsureKey(ctx, ""); err != nil {
		return nil, fmt.Errorf("ledger: open: %w", err)
	}
	if err := l.openLog(ctx, o); err != nil {
		return nil, err
	}
	return l, nil
}

// Origin returns the log's origin line, generation included.
func (l *Ledger) Origin() string { return l.signer.name }

// PublicKey returns the log's verifier key in the form of C2SP signed notes:
// name, key hash and key. Auditors check checkpoints with it.
func (l *Ledger) PublicKey() string { return l.key }

// Entry is what a slice appends.
type Entry struct {
	Customer string            // "" for the company's own
	Server   string            // "" where none
	Subject  string            // id of what it is about
	Kind     string            // "backup.finished": noun.past-verb
	Data     map[string]any    // clear facts: whole numbers, strings, booleans, lists, objects; never personal
	Personal map[string]string // sealed with a salt; the leaf commits to HMAC-SHA-256(salt, value)
}

// Limits of one entry.
const (
	MaxData     = 64 << 10 // bytes of canonical data
	MaxPersonal = 64 << 10 // bytes of one personal value
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Append adds an entry to the transaction of the change it tells of, at tx.Now
// and by the actor of tx.Context(). The customer's data key must be there
// (secrets.Keeper.EnsureKey, before the transaction) where e.Personal is used.
//
// Errors: an absent actor, a contact who writes outside their own customer, a
// malformed kind, data that has no canonical form.
func (l *Ledger) Append(tx *db.Tx, e Entry) (id string, err error) {
	row, personal, err := l.prepare(tx, e)
	if err != nil {
		return "", fmt.Errorf("ledger: append %s: %w", e.Kind, err)
	}
	if err := insertEntry(tx, row, personal); err != nil {
		return "", fmt.Errorf("ledger: append %s: %w", e.Kind, err)
	}
	if l.bus != nil {
		tx.AfterCommit(func() { l.bus.Publish(Topic) })
	}
	return row.ID, nil
}

// isKind reports whether s is words in small letters, digits and "_", at least
// two, with dots between them. Every change of everything asks this.
func isKind(s string) bool {
	dots, start := 0, true
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
			start = false
		case !start && c == '.':
			dots, start = dots+1, true
		case start || c != '_' && (c < '0' || c > '9'):
			return false
		}
	}
	return dots > 0 && !start
}

func (l *Ledger) prepare(tx *db.Tx, e Entry) (entryRow, []personalRow, error) {
	actor, ok := controlplane.ActorFrom(tx.Context())
	if !ok || !actor.Kind.Valid() || actor.ID == "" {
		return entryRow{}, nil, fmt.Errorf("the context has no actor")
	}
	outside := actor.Kind == controlplane.ActorContact || actor.Kind == controlplane.ActorAuditor
	if outside && e.Customer != actor.Customer && !slices.Contains(actor.Customers, e.Customer) {
		return entryRow{}, nil, fmt.Errorf("a %s writes to their own customers' chains only", actor.Kind)
	}
	if !isKind(e.Kind) {
		return entryRow{}, nil, fmt.Errorf("the kind is not noun.past-verb")
	}
	for _, s := range []string{e.Customer, e.Server, e.Subject} {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return entryRow{}, nil, fmt.Errorf("an id is not UTF-8 text")
		}
	}
	data, err := canonical(e.Data)
	if err != nil {
		return entryRow{}, nil, fmt.Errorf("data: %w", err)
	}
	if len(data) > MaxData {
		return entryRow{}, nil, fmt.Errorf("data has %d bytes, at most %d are allowed", len(data), MaxData)
	}
	row := entryRow{
		ID: controlplane.NewID(controlplane.PrefixEntry), CustomerID: e.Customer, ServerID: e.Server, Subject: e.Subject, Kind: e.Kind,
		ActorKind: string(actor.Kind), ActorID: actor.ID, At: tx.NowMillis(), Data: data, LeafIndex: -1, Seq: -1,
	}
	commitments, personal, err := l.sealPersonal(row.ID, e)
	if err != nil {
		return entryRow{}, nil, err
	}
	row.Commitments, err = canonical(commitments)
	return row, personal, err
}
