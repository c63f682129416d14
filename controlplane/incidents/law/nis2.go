package law

import (
	"fmt"
	"slices"
)

// Answer is yes, no, or not known: a fact that is missing is never "no".
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// Valid reports whether a is a known answer.
func (a Answer) Valid() bool { return a == Yes || a == No || a == Unknown }

// Service is a kind of service whose significance Implementing Regulation (EU)
// 2024/2690 sets out.
type Service string

// The services. Articles 5, 6 and 7 are recalled, not read: check them before
// quoting them.
const (
	ManagedService Service = "managed_service" // Article 10
	DataCentre     Service = "data_centre"     // Article 8
	Cloud          Service = "cloud"           // Article 7
	DNS            Service = "dns"             // Article 5
	TLD            Service = "tld"             // Article 6: a registry of top-level domain names
)

// Services lists the services.
func Services() []Service { return []Service{ManagedService, DataCentre, Cloud, DNS, TLD} }

// Valid reports whether s is a known service.
func (s Service) Valid() bool { return slices.Contains(Services(), s) }

// anySize reports whether who gives a service is in the directive's scope at any
// size (Article 2(2)(a)(iii) of Directive (EU) 2022/2555).
func (s Service) anySize() bool { return s == DNS || s == TLD }

// Impact is what is known of an incident, as far as significance asks. Negative
// numbers are not known, and neither are answers that are empty.
type Impact struct {
	OutageMinutes   int     // complete unavailability
	LimitedMinutes  int     // limited availability
	LimitedPercent  float64 // of users in the Union whom that touched
	LimitedUsers    int
	Malicious       Answer // integrity, confidentiality or authenticity compromised by a suspected malicious act
	CompromisedPct  float64
	CompromisedUser int
	PhysicalAccess  Answer // a data centre's physical access compromised
	LossEUR         int64
	LossPercent     float64 // of yearly turnover
	TradeSecrets    Answer  // trade secrets were taken out
	Harm            Answer  // somebody died, or their health was damaged considerably
	Intrusion       Answer  // unauthorised access, suspected malicious, capable of severe operational disruption
	Recurring       Answer  // Article 4: twice in six months, one root cause, together significant
	Scheduled       bool    // maintenance that was announced does not count
}

// Answers are the questions of an impact that are answered yes, no or unknown.
func (i *Impact) Answers() []*Answer {
	return []*Answer{&i.Malicious, &i.PhysicalAccess, &i.TradeSecrets, &i.Harm, &i.Intrusion, &i.Recurring}
}

// Significance is whether an incident is significant for NIS2, and why.
type Significance struct {
	Answer Answer
	Why    []string
	// Seen says that a service was away or limited: that is certain when it is seen.
	Seen bool
}

// test is one criterion.
type test struct {
	answer Answer
	why    string
	seen   bool // of availability
}

// add counts a criterion: those that hold say why, and as long as none does,
// those of which it is not known.
func (s *Significance) add(t test) {
	s.Seen = s.Seen || t.seen && t.answer == Yes
	switch {
	case t.answer == No:
	case t.answer == Yes && s.Answer == Yes:
		s.Why = append(s.Why, t.why)
	case t.answer == Yes:
		s.Answer, s.Why = Yes, []string{t.why}
	case s.Answer != Yes:
		s.Answer, s.Why = Unknown, append(s.Why, "Not known: "+t.why)
	}
}

// Significant applies Articles 3 to 8 and 10 of Implementing Regulation (EU)
// 2024/2690 to what is known, of an entity that is in scope. One criterion that
// holds is enough; without one, a fact that is missing makes the answer
// "unknown". Article 3 but for its amounts, and Articles 5 to 7, are recalled.
func Significant(e Entity, i Impact) Significance {
	if in, why := e.InScope(); in != Yes {
		return Significance{Answer: in, Why: []string{why}}
	}
	if i.Scheduled { // that it was away, alone: not what else happened (recital 33)
		i.OutageMinutes, i.LimitedMinutes, i.LimitedPercent, i.LimitedUsers = 0, 0, 0, 0
	}
	s := Significance{Answer: No}
	s.add(test{answer: moreThan(float64(i.LossEUR), 500_000), why: "Financial loss above EUR 500,000 (Article 3)."})
	s.add(test{answer: moreThan(i.LossPercent, 5), why: "Financial loss above 5 % of the yearly turnover (Article 3)."})
	s.add(test{answer: i.TradeSecrets, why: "Trade secrets were taken out (Article 3, as recalled)."})
	s.add(test{answer: i.Harm, why: "Somebody died, or their health was damaged considerably (Article 3, as recalled)."})
	s.add(test{answer: i.Intrusion, why: "Somebody had access without a right to it, it is suspected in bad faith, and could have disrupted operations severely (Article 3, as recalled)."})
	s.add(test{answer: i.Recurring, why: "It happened before within six months, with one cause (Article 4)."})
	for _, service := range e.Services {
		for _, t := range criteria(service, i) {
			s.add(t)
		}
	}
	if len(e.Services) == 0 {
		s.add(test{answer: Unknown, why: "which of the services that the regulation names the company gives."})
	}
	return s
}

func criteria(s Service, i Impact) []test {
	malicious := test{answer: i.Malicious, why: fmt.Sprintf("A suspected malicious act compromised it (%s).", article[s])}
	limited := test{both(moreThan(float64(i.LimitedMinutes), 60), either(moreThan(i.LimitedPercent, 5), moreThan(float64(i.LimitedUsers), 1_000_000))),
		fmt.Sprintf("Limited for more than an hour for over 5 %% or a million of the users (%s).", article[s]), true}
	outage := test{moreThan(float64(i.OutageMinutes), 30), fmt.Sprintf("Unavailable for more than 30 minutes (%s).", article[s]), true}
	compromised := test{answer: either(moreThan(i.CompromisedPct, 5), moreThan(float64(i.CompromisedUser), 1_000_000)),
		why: fmt.Sprintf("Data of over 5 %% or a million of the users compromised (%s).", article[s])}
	switch s {
	case DataCentre:
		return []test{{moreThan(float64(i.OutageMinutes), 0), "Completely unavailable, for however long (Article 8).", true},
			{moreThan(float64(i.LimitedMinutes), 60), "Limited for more than an hour (Article 8).", true}, malicious,
			{answer: i.PhysicalAccess, why: "Physical access was compromised (Article 8)."}}
	case DNS, TLD: // how many were touched does not matter; slow answers are limited ones
		if s == TLD {
			outage = test{moreThan(float64(i.OutageMinutes), 0), "Completely unavailable, for however long (Article 6, as recalled).", true}
		}
		return []test{outage, {moreThan(float64(i.LimitedMinutes), 60), fmt.Sprintf("Answers were limited or slow for more than an hour (%s).", article[s]), true}, malicious,
			{answer: either(moreThan(i.CompromisedPct, 0), moreThan(float64(i.CompromisedUser), 0)), why: fmt.Sprintf("Data was compromised (%s; a small misconfiguration is excepted: decide so).", article[s])}}
	}
	return []test{outage, limited, malicious, compromised}
}

var article = map[Service]string{ManagedService: "Article 10", DataCentre: "Article 8", Cloud: "Article 7, as recalled", DNS: "Article 5, as recalled", TLD: "Article 6, as recalled"}

// moreThan compares a figure that may not be known.
func moreThan(v, limit float64) Answer {
	switch {
	case v < 0:
		return Unknown
	case v > limit:
		return Yes
	}
	return No
}

func both(a, b Answer) Answer {
	switch {
	case a == No || b == No:
		return No
	case a == Yes && b == Yes:
		return Yes
	}
	return Unknown
}

func either(a, b Answer) Answer {
	switch {
	case a == Yes || b == Yes:
		return Yes
	case a == No && b == No:
		return No
	}
	return Unknown
}
