package access

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// want is one line that ought to stand in a column now.
type want struct {
	Customer, Person string
	Unknown          string // where Person is "": what was found
	Same             string // what tells several apart that read alike; "" is Unknown
	Way              Way
	Role, Server     string
	// Ground is what puts it there: grt_, ent_, a key found, a role of the cluster.
	Ground string
	// From is when it began, zero for part.At; of a span that is there already it
	// is not looked at. Until zero is open; one that is past ends the span there.
	From, Until time.Time
	Why         string
}

// part is what a call of settle answers for: the open spans of one column and
// one source of wants, of these customers and, where Persons is not nil, these
// persons. Spans outside of it stay as they are.
type part struct {
	Column    Column
	Source    string   // "grant", "entry", "staff", "teleport", "host"; "" is all, and then nothing may be wanted
	Customers []string // nil is all
	Persons   []string // nil is all
	Servers   []string // nil is all
	Grounds   []string // nil is all
	// At is when what the wants say was so, where that is not now: a scan's own
	// instant. What is not wanted ends then.
	At time.Time
	// Why is told of whatever ends; "" is "ended".
	Why string
	// Baseline marks changes that were so before we looked.
	Baseline bool
}

// settle makes the open spans of a part equal to the wants and returns what it
// wrote: spans, ledger entries and Changes, and whoever asked is told of those
// in the same transaction (Service.onChanged). The same wants again write nothing.
// Names of persons are read and sealed before; the keys must exist.
func (s *Service) settle(tx *db.Tx, p part, wants []want) ([]Change, error) {
	changes, err := s.settleQuietly(tx, p, wants)
	if err == nil {
		err = s.tell(tx, changes)
	}
	if err != nil {
		return nil, fmt.Errorf("access: settle: %w", err)
	}
	return changes, nil
}

// tell tells the hooks of changes, and whoever looks at a list.
func (s *Service) tell(tx *db.Tx, changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	for _, told := range s.onChanged {
		if err := told(tx, changes); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish(TopicLists) })
	return nil
}

// TopicLists wakes whoever shows lists: one of them has changed.
const TopicLists = "access.lists"

func (s *Service) settleQuietly(tx *db.Tx, p part, wants []want) ([]Change, error) {
	if err := p.check(wants); err != nil {
		return nil, err
	}
	live, err := liveSpans(tx, p)
	if err != nil {
		return nil, err
	}
	at := p.At
	if at.IsZero() {
		at = tx.Now
	}
	d := diff{now: tx.NowMillis(), at: at.UnixMilli(), why: p.Why, baseline: p.Baseline}
	wanted, err := s.spansWanted(p, wants, d.at)
	if err != nil {
		return nil, err
	}
	d.compare(live, wanted)
	if len(d.events) == 0 {
		return nil, nil
	}
	return s.record(tx, d)
}

func (p part) check(wants []want) error {
	if !p.Column.Valid() {
		return fmt.Errorf("unknown column %q", p.Column)
	}
	if p.Customers == nil && p.Persons == nil && p.Servers == nil && p.Grounds == nil {
		return fmt.Errorf("a part over everything")
	}
	if p.Source == "" && len(wants) > 0 {
		return fmt.Errorf("wants without a source")
	}
	for _, w := range wants {
		switch {
		case !w.Way.Valid():
			return fmt.Errorf("unknown way %q", w.Way)
		case w.Customer == "" || w.Person == "" && w.Unknown == "":
			return fmt.Errorf("a want without a customer or a person")
		case w.Person != "" && !controlplane.ValidID(controlplane.PrefixPerson, w.Person):
			return fmt.Errorf("a want of %q, who is no person", w.Person)
		}
	}
	return nil
}

// spanKey is what makes two spans the same; lineKey what makes two lines the same.
type spanKey struct {
	lineKey
	ground string
}

type lineKey struct {
	column          Column
	customer        string
	person, unknown string // unknown by its blind index
	way             Way
	role, server    string
}

// wanted is a span that ought to be open.
type wanted struct {
	row     spanRow
	unknown string
	why     string
}

// spansWanted are the wants by their keys; of the same twice the later end counts.
func (s *Service) spansWanted(p part, wants []want, at int64) (map[spanKey]wanted, error) {
	out := make(map[spanKey]wanted, len(wants))
	for _, w := range wants {
		row := spanRow{CustomerID: w.Customer, Col: string(p.Column), Source: p.Source, PersonID: w.Person, Way: string(w.Way), Role: w.Role,
			ServerID: w.Server, Ground: w.Ground, FromAt: controlplane.Millis(w.From), UntilAt: controlplane.Millis(w.Until)}
		if row.FromAt == 0 {
			row.FromAt = at
		}
		if w.Person == "" {
			row.UnknownIndex = s.unknownIndex(cmp.Or(w.Same, w.Unknown))
		}
		k := row.key()
		if o, twice := out[k]; twice && (o.row.UntilAt == 0 || row.UntilAt != 0 && row.UntilAt <= o.row.UntilAt) {
			continue
		}
		out[k] = wanted{row, w.Unknown, w.Why}
	}
	return out, nil
}

// unknownIndex is the blind index of what was found of somebody unknown.
func (s *Service) unknownIndex(unknown string) string {
	return hex.EncodeToString(s.keeper.Index("access.unknown", unknown))
}

// event is one difference between what is open and what ought to be.
type event struct {
	kind ChangeKind // Added, Removed or Moved, as far as the span goes
	old  spanRow    // Removed and Moved
	row  spanRow    // as it is now
	void bool       // Removed: it never began
	over bool       // Removed: it ended at its planned end
	wanted
}

// diff finds events.
type diff struct {
	now, at  int64
	why      string
	baseline bool
	events   []event
}

func (d *diff) compare(live []spanRow, wants map[spanKey]wanted) {
	there := make(map[spanKey]bool, len(live))
	for _, row := range live {
		k := row.key()
		w, keep := wants[k]
		switch {
		case there[k] || !keep: // two of one key are one too many
			d.end(row, d.at, d.why)
		case w.row.UntilAt != 0 && w.row.UntilAt <= d.now:
			d.end(row, w.row.UntilAt, w.why)
		case w.row.UntilAt != row.UntilAt:
			d.move(row, w)
		}
		there[k] = there[k] || keep
	}
	for k, w := range wants {
		over := w.row.UntilAt != 0 && (w.row.UntilAt <= w.row.FromAt || w.row.UntilAt <= d.now)
		if !there[k] && !over {
			d.add(w)
		}
	}
	sortEvents(d.events)
}

func (d *diff) add(w wanted) {
	row := w.row
	row.ID = controlplane.NewID(controlplane.PrefixSpan)
	row.Rev, row.KnownFrom, row.Live = revision(row.ID, 1), d.now, 1
	if row.FromAt <= d.now {
		row.Begun = 1
	}
	row.place()
	d.events = append(d.events, event{kind: Added, row: row, wanted: w})
}

// end ends a span. One that lies ahead, or ends as it begins, never was; one that
// began did last, even where the clock was set back meanwhile.
func (d *diff) end(row spanRow, at int64, why string) {
	if why == "" {
		why = WhyEnded
	}
	e := event{kind: Removed, old: row, row: row, wanted: wanted{why: why}}
	switch {
	case row.UntilAt != 0 && row.UntilAt <= at:
		e.over = true
		e.row.Live = 0
	case row.Begun == 0 && at < row.FromAt, at == row.FromAt:
		e.void = true
		e.row = row.superseded(d.now)
	default:
		e.row = row.next(max(at, row.FromAt+1), d.now)
		e.row.Live, e.row.Begun = 0, 1
	}
	d.events = append(d.events, e)
}

func (d *diff) move(row spanRow, w wanted) {
	d.events = append(d.events, event{kind: Moved, old: row, row: row.next(w.row.UntilAt, d.now), wanted: w})
}
