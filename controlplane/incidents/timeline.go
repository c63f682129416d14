package incidents

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

const (
	// maxMoments bounds a timeline.
	maxMoments = 1000
	// aroundBefore is how long before a case was noticed its servers are looked at.
	aroundBefore = 24 * time.Hour
)

// Unread names what of a time could not be read, each a sentence for people.
type Unread []string

// Error implements error.
func (u Unread) Error() string { return "incidents: not all could be read: " + strings.Join(u, " ") }

// Timeline merges what was done in a case with what happened on its servers from
// a day before it was noticed until it was contained, or the instants given; oldest
// first. partial says what could not be read. Permission: incident.read, of staff.
func (s *Service) Timeline(ctx context.Context, scope policy.Scope, id string, from, to time.Time) (items []Moment, partial []string, err error) {
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return nil, nil, invalid("/to", "This is not after the beginning.")
	}
	var c Case
	var now time.Time
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		items, now = nil, tx.Now
		if c, err = s.caseIn(tx, scope, id); err != nil {
			return err
		}
		items, err = s.ownMoments(tx, c)
		return err
	})
	if err != nil {
		return nil, nil, wrap("timeline", err)
	}
	more, partial, err := s.otherMoments(ctx, scope, c)
	if err != nil {
		return nil, nil, wrap("timeline", err)
	}
	items = slices.DeleteFunc(append(items, more...), func(m Moment) bool { return !from.IsZero() && m.At.Before(from) || !to.IsZero() && m.At.After(to) })
	around, unread := s.aroundCase(ctx, scope, c, from, to, now)
	items, cutOff := bounded(items, around)
	if cutOff {
		unread = append(unread, "Only the first 1,000 moments are shown: choose a shorter time to see the rest.")
	}
	return items, append(partial, unread...), nil
}

// bounded is both lists in order, cut to what a page bears: what was done in the
// case itself comes before what happened around it.
func bounded(own, around []Moment) (items []Moment, cutOff bool) {
	order := func(a, b Moment) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Ref, b.Ref), cmp.Compare(a.Text, b.Text))
	}
	byTime := func(a, b Moment) int { return a.At.Compare(b.At) }
	slices.SortStableFunc(own, byTime) // of one instant: in the order in which a case goes
	slices.SortStableFunc(around, order)
	cutOff = len(own)+len(around) > maxMoments
	own = own[:min(len(own), maxMoments)]
	around = around[:min(len(around), maxMoments-len(own))]
	items = append(own, around...)
	slices.SortStableFunc(items, byTime)
	return items, cutOff
}

// aroundCase is what happened on a case's servers, and what of it could not be read.
func (s *Service) aroundCase(ctx context.Context, scope policy.Scope, c Case, from, to, now time.Time) ([]Moment, []string) {
	if len(c.Servers) == 0 {
		return nil, nil
	}
	if s.deps.Around == nil {
		return nil, []string{"What happened on the servers is not read here."}
	}
	if from.IsZero() {
		from = noticed(c).Add(-aroundBefore)
	}
	if to.IsZero() {
		to = now
		if !c.ContainedAt.IsZero() {
			to = c.ContainedAt
		}
	}
	if !from.Before(to) {
		return nil, nil
	}
	items, err := s.deps.Around.Around(ctx, scope, c.Servers, from, to)
	if err == nil {
		return items, nil
	}
	var unread Unread
	if errors.As(err, &unread) {
		return items, unread
	}
	s.opts.Log.ErrorContext(ctx, "incidents.around", "case", c.ID, "err", err)
	return items, []string{"Not all that happened on the servers could be read. Try again in a moment."}
}

// noticed is when a case was noticed, or began if that is known to be earlier.
func noticed(c Case) time.Time {
	at := c.OpenedAt
	for _, t := range []time.Time{c.DetectedAt, c.OccurredFrom} {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	for _, a := range c.Awareness {
		if a.At.Before(at) {
			at = a.At
		}
	}
	return at
}

// ownMoments are what a case itself holds.
func (s *Service) ownMoments(tx *db.Tx, c Case) (items []Moment, err error) {
	add := func(at time.Time, kind, text, ref, by string) {
		if !at.IsZero() && text != "" {
			items = append(items, Moment{At: at, Kind: kind, Text: text, Ref: ref, Path: casePath(c.ID), By: by})
		}
	}
	add(c.OccurredFrom, "case", "It began, as far as is known.", c.ID, "")
	add(c.DetectedAt, "case", "It was noticed.", c.ID, "")
	add(c.OpenedAt, "case", "Case "+c.Number+" was opened: "+sentence(c.Title), c.ID, c.OpenedBy)
	add(c.ContainedAt, "case", "Contained: nobody could reach the data any more.", c.ID, "")
	add(c.HandledAt, "case", "The incident was handled.", c.ID, "")
	add(c.ClosedAt, "case", closedWords[c.State]+" "+sentence(c.ClosedWhy), c.ID, "")
	for _, a := range c.Awareness {
		awareMoments(c, a, add)
	}
	for _, a := range c.Affected {
		affectedMoments(c, a, &items)
	}
	for _, d := range c.Decisions {
		add(d.At, "decision", decisionWords(d), d.ID, d.By)
	}
	for _, a := range c.Actions {
		add(a.At, "action", actionWords(a), a.ID, a.By)
	}
	for _, t := range c.Tasks {
		add(t.MadeAt, "case", "Task: "+sentence(t.Text), t.ID, t.MadeBy)
		add(t.DoneAt, "case", "Task done: "+sentence(t.Text)+prefixed(" ", t.Note), t.ID, t.DoneBy)
	}
	notes, err := ofCase[noteRow](tx, c.ID, "at, id")
	for _, r := range notes {
		text, oerr := s.open("", "incident_notes", "text", r.ID, r.Text)
		if err = oerr; err != nil {
			break
		}
		add(controlplane.FromMillis(r.At), "case", text, r.ID, r.ByID)
	}
	if err != nil {
		return nil, err
	}
	if err := s.freezeMoments(tx, c, add); err != nil {
		return nil, err
	}
	return items, s.reportMoments(tx, c, add)
}

// freezeMoments are what of a case is kept, or would be in a drill.
func (s *Service) freezeMoments(tx *db.Tx, c Case, add func(at time.Time, kind, text, ref, by string)) error {
	if c.Drill {
		add(c.OpenedAt, "case", strings.Join(s.wouldFreeze(tx, c).Held, " "), c.ID, "")
		return nil
	}
	row, ok, err := freezeOf(tx, c.ID)
	if err != nil || !ok {
		return err
	}
	f, err := s.frozen(row, c)
	if err != nil {
		return err
	}
	at := controlplane.FromMillis(row.FrozenAt)
	if len(f.Held) > 0 {
		add(at, "case", "Kept until "+shown(f.Until, zoneNamed(c.Zone))+": "+strings.Join(f.Held, " "), c.ID, row.ByID)
	}
	add(at, "case", prefixed("Not all of it is kept. ", f.Failed), c.ID, "")
	return nil
}

// reportMoments are the reports that belong to a case.
func (s *Service) reportMoments(tx *db.Tx, c Case, add func(at time.Time, kind, text, ref, by string)) error {
	rows, err := reportsOf(tx, c.ID)
	for _, r := range rows {
		x, oerr := s.reportOf(r)
		if err = oerr; err != nil {
			return err
		}
		add(x.ReceivedAt, "case", reportWords[x.Source]+" "+sentence(x.Text), x.ID, x.By)
	}
	return err
}

var closedWords = map[State]string{Closed: "The case was closed.", FalseAlarm: "It was a false alarm.", Merged: "The case goes on in another one.", Open: "The case had been closed."}

var reportWords = map[ReportSource]string{FromStaff: "One of us reported:", FromCustomer: "A customer reported:", FromPublic: "Somebody reported:", FromFinding: "A finding was reported:"}

// awareMoments are an assertion, and its confirmation.
func awareMoments(c Case, a law.Assertion, add func(at time.Time, kind, text, ref, by string)) {
	word := "Suspected"
	if a.Certainty == law.Certain {
		word = "Certain"
	}
	whose := "the case as a whole"
	if a.Customer != "" {
		whose = nameOf(c, a.Customer)
	}
	text := word + " of " + whose + " since " + shown(a.At, zoneNamed(c.Zone)) + ": " + sentence(a.Ground)
	if a.Supersedes != "" {
		text = "Corrected. " + text
	}
	add(a.RecordedAt, "awareness", text, a.ID, a.By)
	add(a.ConfirmedAt, "awareness", "A second person confirmed the correction.", a.ID, a.ConfirmedBy)
}

func nameOf(c Case, customer string) string {
	for _, a := range c.Affected {
		if a.Customer == customer && a.Name != "" {
			return a.Name
		}
	}
	if customer == law.TheIncident {
		return "the incident itself"
	}
	return "a customer"
}

// affectedMoments are a customer's coming into a case, and their clearing.
func affectedMoments(c Case, a Affected, items *[]Moment) {
	name, because := nameOf(c, a.Customer), ""
	if a.KnownAt.IsZero() || !a.KnownAt.After(a.AddedAt) { // what was learnt later stands where it was learnt
		because = prefixed(" ", sentence(a.Because))
	}
	*items = append(*items, Moment{At: a.AddedAt, Kind: "case", Text: name + " came into the case." + because, Customer: a.Customer, Ref: a.Customer, Path: casePath(c.ID)})
	if !a.ClearedAt.IsZero() {
		*items = append(*items, Moment{At: a.ClearedAt, Kind: "case", Text: name + " was shown not to be affected." + prefixed(" ", sentence(a.ClearedWhy)), Customer: a.Customer, Ref: a.Customer, Path: casePath(c.ID)})
	}
}

// decisionWords is a decision in a sentence.
func decisionWords(d Decision) string {
	if d.Rule != "" {
		if d.NotDue {
			return "Decided that " + d.Rule + " is not due: " + sentence(d.Reasons)
		}
		return "Decided that " + d.Rule + " is due: " + sentence(d.Reasons)
	}
	tell := func(yes bool) string { return map[bool]string{true: "told", false: "not told"}[yes] }
	return "Decided: the risk is " + string(d.Risk) + "; the authority is " + tell(d.Authority) + ", the people are " + tell(d.People) + ". " + sentence(d.Reasons)
}

var actionNames = map[ActionKind]string{ActRevoke: "End access", ActLock: "Lock a person out", ActRotate: "New keys", ActSnapshot: "Back up now", ActDone: "By hand"}

// actionWords is an action in a sentence.
func actionWords(a Action) string {
	text := actionNames[a.Kind] + ": " + sentence(a.Why)
	switch {
	case a.Open:
		return text + " It is being done."
	case a.Failed:
		return text + " It failed. " + sentence(a.Result)
	case a.Kind == ActDone:
		return text
	}
	return text + " " + sentence(a.Result)
}

// otherMoments are what the ledger and the notices say of a case.
func (s *Service) otherMoments(ctx context.Context, scope policy.Scope, c Case) (items []Moment, partial []string, err error) {
	entries, err := s.entriesOf(ctx, c.ID)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		items = append(items, Moment{At: e.At, Kind: "case", Text: sentence(ledgerWords[e.Kind] + prefixed(" ", e.Personal["why"]+e.Personal["how"])), Ref: e.ID, Path: casePath(c.ID), By: e.Actor.ID})
	}
	notices, more, err := s.noticesOf(ctx, scope, c.ID, true)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range notices {
		items = append(items, noticeMoments(c, n)...)
	}
	if more {
		partial = append(partial, "Only a part of the notices is shown: there are very many.")
	}
	return items, partial, nil
}

// ledgerWords are the changes of a case that only the ledger tells.
var ledgerWords = map[string]string{
	"incident.changed":         "What is known was changed.",
	"incident.reopened":        "The case was opened again.",
	"incident.merged":          "Cases were put together.",
	"incident.split":           "A part of the case became a case of its own.",
	"incident.thawed":          "What was kept because of the case was let go of.",
	"incident.triaged":         "A report was looked at.",
	"incident.reporter_erased": "Who had reported it was deleted: the term was over.",
	"incident.alarm":           "An alarm was raised.",
}

func (s *Service) entriesOf(ctx context.Context, incident string) ([]ledger.Item, error) {
	var kinds []string
	for k := range ledgerWords {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	items, _, err := s.ledger.List(asSystem(ctx), everyone(), ledger.Filter{Company: true, Subject: incident, Kinds: kinds, Limit: ledger.MaxLimit})
	return items, err
}

// noticeMoments are what became of a notice.
func noticeMoments(c Case, n Notice) (items []Moment) {
	whom := map[Audience]string{ToAuthority: "the authority", ToCSIRT: "the CSIRT", ToPeople: "the people concerned", ToCustomer: "a customer"}[n.Audience]
	if n.Customer != "" {
		whom = nameOf(c, n.Customer)
	}
	what := purposeWords(n.Purpose)
	add := func(at time.Time, text, by string) {
		if !at.IsZero() {
			items = append(items, Moment{At: at, Kind: "notice", Text: text, Customer: n.Customer, Ref: n.ID, Path: noticePath(n.ID), By: by})
		}
	}
	by := n.Author
	if n.Second != "" {
		by = n.Second
	}
	if n.State == Drilled {
		add(n.SentAt, what+" to "+whom+" would have been sent: it is a drill.", by)
		return items
	}
	add(n.SentAt, what+" was sent to "+whom+".", by)
	add(n.ToldAt, what+" reached "+whom+".", "")
	return items
}

// noticePath is the page of a notice.
func noticePath(id string) string { return "/incidents/notices/" + id }

// maxNotices bounds what is read of a case's notices at a time.
const maxNotices = 5000

// noticesOf are the notices of a case without their texts, or with heads without
// all that is sealed, the oldest first; more says that there
// are too many.
func (s *Service) noticesOf(ctx context.Context, scope policy.Scope, incident string, heads bool) (items []Notice, more bool, err error) {
	f := NoticeFilter{Case: incident, Heads: heads, noText: true, Limit: 200}
	for len(items) < maxNotices {
		page, next, err := s.Notices(ctx, scope, f)
		if err != nil {
			return nil, false, err
		}
		items = append(items, page...)
		if f.Token = next; next == "" {
			slices.Reverse(items)
			return items, false, nil
		}
	}
	slices.Reverse(items)
	return items, true, nil
}

// sentence is a text with its full stop; "" is nothing.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || strings.HasSuffix(text, ".") || strings.HasSuffix(text, "?") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "…") {
		return text
	}
	return text + "."
}

// prefixed is a text behind a prefix; "" is nothing.
func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
