package findings

import "maps"

// Kinds of finding about incidents. They are the company's own: what customers
// are told of an incident are notices.
const (
	IncidentDue         = "incident.due"         // a deadline comes near
	IncidentLate        = "incident.late"        // a deadline has passed
	IncidentAssess      = "incident.assess"      // a suspicion that nobody has decided
	IncidentUnreachable = "incident.unreachable" // nobody of a customer can be reached
	IncidentSecond      = "incident.second"      // a second person is asked
	IncidentReport      = "incident.report"      // a report that nobody has looked at
	IncidentTaskLate    = "incident.task_late"   // a task is past its time
	IncidentFrozenEnd   = "incident.frozen_end"  // data of a case is let go of soon
)

// incidentKinds are the kinds of incidents. case is a case's number; duty is what
// is to be done as the rule's title has it; count is a number with its noun ("3
// customers"); for is how long; at is an instant as people say it; person is
// somebody of ours by name; customer is one by name; what is a task, a notice or
// a report in a few words; because is a sentence without its full stop; shadow is on what a deadline hangs that nobody
// has decided ("if they are affected"), and over how long ago it passed; act is what
// another person is to confirm of a case ("was a false alarm").
var incidentKinds = map[string]kind{
	IncidentDue: {
		Args: []string{"case", "duty", "count", "for", "at", "shadow", "over"},
		Ops: text{
			Title: []string{"Case {case}: {duty} ({count}) would be late by {over}, {shadow}", "Case {case}: {duty} would be late by {over}, {shadow}", "Case {case}: {duty} ({count}) within {for}, {shadow}",
				"Case {case}: {duty} within {for}, {shadow}", "Case {case}: {duty} ({count}) within {for}", "Case {case}: {duty} within {for}", "A legal deadline of case {case} comes near", "A legal deadline comes near"},
			Cause: []string{"It is a shadow: due {at} {shadow}, which nobody has decided. Say whether it is so, or tell them without waiting for it.", "It is due {at}. What is known is enough: the rest can follow.", "What is known is enough: the rest can follow."},
			Step:  "step.open_case",
		},
	},
	IncidentLate: {
		Args: []string{"case", "duty", "count", "for", "at"},
		Ops: text{
			Title: []string{"Case {case}: {duty} ({count}) is late by {for}", "Case {case}: {duty} is late by {for}", "Case {case}: {duty} is late", "A legal deadline of case {case} has passed", "A legal deadline has passed"},
			Cause: []string{"It was due {at}. Do it now, and say why it took longer.", "Do it now, and say why it took longer."},
			Step:  "step.open_case",
		},
	},
	IncidentAssess: {
		Args: []string{"case", "for", "at"},
		Ops: text{
			Title: []string{"Case {case} has been a suspicion for {for}", "Case {case} is still a suspicion", "A case is still a suspicion"},
			Cause: []string{"It was to be decided by {at}. Say whether personal data are concerned, or that it was a false alarm.", "Say whether personal data are concerned, or that it was a false alarm."},
			Step:  "step.open_case",
		},
	},
	IncidentUnreachable: {
		Args: []string{"case", "customer", "person", "because"},
		Ops: text{
			Title: []string{"{customer} cannot be reached about case {case}", "{customer} cannot be reached about an incident", "A customer cannot be reached about an incident"},
			Cause: []string{"{because}. {person} has to call them, and to write down whom they spoke to.", "{because}. Somebody has to call them, and to write down whom they spoke to.", "Somebody has to call them, and to write down whom they spoke to."},
			Step:  "step.call_customer",
		},
	},
	IncidentSecond: {
		Args: []string{"case", "what", "person", "for", "act"},
		Ops: text{
			Title: []string{"{person} says that case {case} {act}: another person has to confirm it", "{person} asks for a second look at {what} of case {case}", "{person} asks for a second look at {what}", "Somebody asks for a second look at a notice", "A notice waits for a second person"},
			Cause: []string{"Somebody held it to be certain. Until another person confirms that it {act}, its clocks run on.", "It has waited for {for}. Another person reads it and sends it; a first notice to a customer goes after an hour by itself.", "Another person reads it and sends it; a first notice to a customer goes after an hour by itself."},
			Step:  "step.second_look",
		},
	},
	IncidentReport: {
		Args: []string{"what", "for", "because"},
		Ops: text{
			Title: []string{"Nobody has looked at {what} for {for}", "Nobody has looked at {what}", "Nobody has looked at a report that something may be wrong"},
			Cause: []string{"{because}. Decide whether it is an incident.", "Decide whether it is an incident."},
			Step:  "step.see_reports",
		},
	},
	IncidentTaskLate: {
		Args: []string{"case", "what", "person", "at"},
		Ops: text{
			Title: []string{"{what} (case {case}) is past its time", "A task of case {case} is past its time", "A task of a case is past its time"},
			Cause: []string{"It is {person}’s, and was to be done by {at}.", "It was to be done by {at}.", "Do it, or say why it is not needed any more."},
			Step:  "step.open_case",
		},
	},
	IncidentFrozenEnd: {
		Args: []string{"case", "at", "for"},
		Ops: text{
			Title: []string{"What case {case} keeps is let go of in {for}", "What case {case} keeps is let go of soon", "What a case keeps is let go of soon"},
			Cause: []string{"It ends {at}. Give a ground and an end where it has to be kept longer.", "Give a ground and an end where it has to be kept longer."},
			Step:  "step.open_case",
		},
	},
}

// incidentSteps are their next steps.
var incidentSteps = map[string]string{
	"step.open_case":     "Open the case",
	"step.call_customer": "Call the customer",
	"step.second_look":   "Look at it",
	"step.see_reports":   "See the reports",
}

// withIncidents adds them to the other kinds.
func withIncidents(base map[string]kind) map[string]kind {
	maps.Copy(base, incidentKinds)
	return base
}

// withIncidentSteps adds their steps to the others.
func withIncidentSteps(base map[string]string) map[string]string {
	maps.Copy(base, incidentSteps)
	return base
}
