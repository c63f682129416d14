package law

import "fmt"

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

// The services.
const (
	ManagedService Service = "managed_service" // Article 10
	DataCentre     Service = "data_centre"     // Article 8
	Cloud          Service = "cloud"           // Article 7
	DNS            Service = "dns"             // Article 5
)

// Valid reports whether s is a known service.
func (s Service) Valid() bool {
	return s == ManagedService || s == DataCentre || s == Cloud || s == DNS
}

// Entity is what NIS2 makes of the company: recorded, never assumed.
type Entity struct {
	Scope    Answer // whether the directive, as national law has it, is about us
	Services []Service
}

// Impact is what is known of an incident, as far as significance asks. Negative
// numbers are not known.
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
	Recurring       Answer  // Article 4: twice in six months, one root cause, together significant
	Scheduled       bool    // maintenance that was announced does not count
}

// Significance is whether an incident is significant for NIS2, and why.
type Significance struct {
	Answer Answer
	Why    []string
}

// test is one criterion.
type test struct {
	answer Answer
	why    string
}

func (s *Significance) add(t test) {
	if t.answer == No {
		return
	}
	s.Why = append(s.Why, t.why)
	if t.answer == Yes || s.Answer == No {
		s.Answer = t.answer
	}
}

// Significant applies Articles 3, 4, 5, 7, 8 and 10 of Implementing Regulation
// (EU) 2024/2690 to what is known. One criterion that holds is enough; without
// one, a fact that is missing makes the answer "unknown".
func Significant(e Entity, i Impact) Significance {
	switch {
	case e.Scope == No:
		return Significance{Answer: No, Why: []string{"NIS2 is not about this company, as recorded."}}
	case e.Scope != Yes:
		return Significance{Answer: Unknown, Why: []string{"Whether NIS2 is about this company is not recorded: unknown is not “not due”."}}
	}
	if i.Scheduled { // that it was away, alone: not what else happened (recital 33)
		i.OutageMinutes, i.LimitedMinutes, i.LimitedPercent, i.LimitedUsers = 0, 0, 0, 0
	}
	s := Significance{Answer: No}
	s.add(test{moreThan(float64(i.LossEUR), 500_000), "Financial loss above EUR 500,000 (Article 3)."})
	s.add(test{moreThan(i.LossPercent, 5), "Financial loss above 5 % of the yearly turnover (Article 3)."})
	s.add(test{i.Recurring, "It happened before within six months, with one cause (Article 4)."})
	for _, service := range e.Services {
		for _, t := range criteria(service, i) {
			s.add(t)
		}
	}
	if len(e.Services) == 0 {
		s.add(test{Unknown, "Which of the services that the regulation names we give is not recorded."})
	}
	return s
}

func criteria(s Service, i Impact) []test {
	malicious := test{i.Malicious, fmt.Sprintf("A suspected malicious act compromised it (%s).", article[s])}
	limited := test{both(moreThan(float64(i.LimitedMinutes), 60), either(moreThan(i.LimitedPercent, 5), moreThan(float64(i.LimitedUsers), 1_000_000))),
		fmt.Sprintf("Limited for more than an hour for over 5 %% or a million of the users (%s).", article[s])}
	outage := test{moreThan(float64(i.OutageMinutes), 30), fmt.Sprintf("Unavailable for more than 30 minutes (%s).", article[s])}
	compromised := test{either(moreThan(i.CompromisedPct, 5), moreThan(float64(i.CompromisedUser), 1_000_000)),
		fmt.Sprintf("Data of over 5 %% or a million of the users compromised (%s).", article[s])}
	if s == DataCentre {
		return []test{{moreThan(float64(i.OutageMinutes), 0), "Completely unavailable, for however long (Article 8)."},
			{moreThan(float64(i.LimitedMinutes), 60), "Limited for more than an hour (Article 8)."}, malicious,
			{i.PhysicalAccess, "Physical access was compromised (Article 8)."}}
	}
	return []test{outage, limited, malicious, compromised}
}

var article = map[Service]string{ManagedService: "Article 10", DataCentre: "Article 8", Cloud: "Article 7", DNS: "Article 5"}

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
