package incidents

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// afterMoments is how much of the timeline a report has.
const afterMoments = 300

// AfterAction is the report after a case: what happened, when it was known, who
// was told, what was done, what was late, and what is left. It can be read before
// the case is closed, and says then that it is not over. Permission:
// incident.read, of staff.
func (s *Service) AfterAction(ctx context.Context, scope policy.Scope, id string) (Paper, error) {
	f, err := s.folderIn(ctx, scope, id)
	if err != nil {
		return Paper{}, wrap("after action", err)
	}
	moments, partial, err := s.Timeline(ctx, scope, f.c.ID, time.Time{}, time.Time{})
	if err != nil {
		return Paper{}, wrap("after action", err)
	}
	p := Paper{Title: "Case " + f.c.Number + ": " + f.c.Title}
	if f.c.Drill {
		p.Title = "Drill " + f.c.Number + ": " + f.c.Title
	}
	p.Sections = []Section{f.whatHappened(), f.whenKnown(), f.whoWasTold(), f.whatWasDone(), f.whatWasDecided(), f.whatWasLate(), f.whatIsLeft(), f.whatTimeline(moments, partial)}
	return p, nil
}

func (f folder) whatHappened() Section {
	return Section{Heading: "What happened", Paragraphs: slices.DeleteFunc([]string{f.standing(), f.facts(), f.effects()}, func(p string) bool { return p == "" })}
}

// standing is how the case stands.
func (f folder) standing() string {
	switch f.c.State {
	case Closed:
		return "The case was closed on " + f.at(f.c.ClosedAt) + ": " + sentence(f.c.ClosedWhy)
	case FalseAlarm:
		return "It was a false alarm, as was said on " + f.at(f.c.ClosedAt) + ": " + sentence(f.c.ClosedWhy)
	case Merged:
		return "The case goes on in another one."
	}
	return "The case is open still: this report is not the last one."
}

func (f folder) whenKnown() Section {
	rows := [][]string{{"what", "when"}, {"It began", f.at(f.c.OccurredFrom)}, {"It was noticed", f.at(f.c.DetectedAt)}}
	if a, ok := f.aware(); ok {
		rows = append(rows, []string{"We were certain", f.at(a.At)})
	}
	rows = append(rows, []string{"The case was opened", f.at(f.c.OpenedAt)}, []string{"Contained", f.at(f.c.ContainedAt)}, []string{"Handled", f.at(f.c.HandledAt)})
	if first := f.firstTold(); !first.IsZero() {
		rows = append(rows, []string{"The first customer had a notice", f.at(first)})
	}
	s := Section{Heading: "When it was known", Rows: rows}
	for _, a := range f.c.Awareness {
		word := "suspected"
		if a.Certainty == law.Certain {
			word = "was certain of"
		}
		whose := "the case"
		switch {
		case a.Customer == law.TheIncident:
			whose = nameOf(f.c, a.Customer)
		case a.Customer != "":
			whose = "the part of " + nameOf(f.c, a.Customer)
		}
		s.Paragraphs = append(s.Paragraphs, fmt.Sprintf("%s %s %s since %s, as recorded %s: %s", f.who(a.By), word, whose, f.at(a.At), f.at(a.RecordedAt), sentence(a.Ground)))
	}
	return s
}

func (f folder) firstTold() (first time.Time) {
	for _, n := range f.told() {
		if n.Audience == ToCustomer && !n.ToldAt.IsZero() && (first.IsZero() || n.ToldAt.Before(first)) {
			first = n.ToldAt
		}
	}
	return first
}

// purposeWords is what a notice is, at the beginning of a sentence.
func purposeWords(p Purpose) string {
	words := map[Purpose]string{First: "The first notice", Update: "An update", Withdrawal: "That it was a false alarm", Final: "The final notice", Freezing: "That data is kept longer"}
	return or(words[p], "A notice")
}

func (f folder) whoWasTold() Section {
	s := Section{Heading: "Who was told", Rows: [][]string{{"who", "what", "phase", "sent", "reached them"}}}
	for _, n := range f.sent() {
		s.Rows = append(s.Rows, []string{f.whom(n), purposeWords(n.Purpose), fmt.Sprint(n.Phase), f.at(n.SentAt), f.at(n.ToldAt)})
	}
	if len(s.Rows) == 1 {
		s.Rows, s.Paragraphs = nil, []string{"Nobody was told."}
	}
	return s
}

func (f folder) whatWasDone() Section {
	s := Section{Heading: "What was done", Rows: [][]string{{"when", "who", "what"}}}
	for _, a := range f.c.Actions {
		s.Rows = append(s.Rows, []string{f.at(a.At), f.who(a.By), actionWords(a)})
	}
	if len(s.Rows) == 1 {
		s.Rows, s.Paragraphs = nil, []string{"Nothing is recorded."}
	}
	return s
}

func (f folder) whatWasDecided() Section {
	s := Section{Heading: "What was decided"}
	for _, d := range f.c.Decisions {
		s.Paragraphs = append(s.Paragraphs, f.at(d.At)+", "+f.who(d.By)+": "+decisionWords(d)+prefixed(" To be looked at again: ", d.Again))
	}
	if len(s.Paragraphs) == 0 {
		s.Paragraphs = []string{"Nothing was decided about the risk."}
	}
	return s
}

func (f folder) whatWasLate() Section {
	s := Section{Heading: "What was late", Rows: [][]string{{"duty", "whose", "due", "met"}}}
	for _, c := range f.clocks {
		if c.State != Late && c.State != MetLate || c.Shadow {
			continue
		}
		whose := "ours"
		if c.Customer != "" {
			whose = nameOf(f.c, c.Customer)
		}
		s.Rows = append(s.Rows, []string{c.Title, whose, f.at(c.Strict), f.at(c.MetAt)})
	}
	if len(s.Rows) == 1 {
		s.Rows, s.Paragraphs = nil, []string{"Nothing was late, as far as deadlines ran."}
	}
	if why := f.delay(); why != "" {
		s.Paragraphs = append(s.Paragraphs, "Why: "+why)
	}
	return s
}

// whatIsLeft is what a reader would have to ask about.
func (f folder) whatIsLeft() Section {
	s := Section{Heading: "What is left"}
	add := func(text string) { s.Paragraphs = append(s.Paragraphs, text) }
	for _, t := range f.c.Tasks {
		if t.DoneAt.IsZero() {
			add("Task: " + sentence(t.Text) + prefixed(" It is ", prefixed("", sentence(or(t.OwnerName, "nobody")+"’s"))))
		}
	}
	for _, a := range f.c.Actions {
		if a.Failed {
			add("Failed: " + actionWords(a))
		}
	}
	for _, x := range f.c.Affected {
		if x.State == Certain && x.ToldAt.IsZero() {
			add(nameOf(f.c, x.Customer) + " is affected, and was not reached.")
		}
	}
	if d, ok := stands(f.c.Decisions); ok && d.Again != "" {
		add("The risk is to be looked at again: " + d.Again)
	}
	for _, key := range FieldKeys() {
		if x, ok := f.field(key); ok && x.Known == IsUnknown {
			add("Not found out: " + strings.ReplaceAll(key, "_", " ") + ". " + f.who(x.Owner) + " owes it.")
		}
	}
	if f.c.ContainedAt.IsZero() && f.c.State != FalseAlarm {
		add("It is not contained, as far as is recorded.")
	}
	if len(s.Paragraphs) == 0 {
		add("Nothing.")
	}
	return s
}

func (f folder) whatTimeline(moments []Moment, partial []string) Section {
	s := Section{Heading: "Timeline", Paragraphs: partial}
	if len(moments) > afterMoments {
		moments = moments[:afterMoments]
		s.Paragraphs = append(s.Paragraphs, fmt.Sprintf("The first %d moments are here, the rest on the case’s page.", afterMoments))
	}
	s.Rows = [][]string{{"when", "what"}}
	for _, m := range moments {
		s.Rows = append(s.Rows, []string{f.at(m.At), m.Text})
	}
	return s
}
