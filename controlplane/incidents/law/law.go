// Package law holds the rules by which breaches are told of, as data, and does
// their arithmetic. It keeps true that a rule is chosen by the time of its
// trigger and never by "now", that the earliest due instant is the one that
// alarms and lateness use, that weekends and holidays never extend hours, and
// that every result says how it was computed.
//
// It is engineering and no legal advice: where a reading is our own, Source or
// Threshold say so.
package law

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

//go:embed rules.json
var shipped []byte

// Unit is what a rule counts in.
type Unit string

// The units.
const (
	Hours       Unit = "hours" // elapsed
	Days        Unit = "days"
	Months      Unit = "months"
	WorkingDays Unit = "working_days" // of contracts only
)

// Valid reports whether u is a known unit; "" is a rule without a number.
func (u Unit) Valid() bool {
	return u == "" || u == Hours || u == Days || u == Months || u == WorkingDays
}

// Calendar is how a rule's time is counted beside the strict count.
type Calendar string

// The calendars.
const (
	Strict     Calendar = "strict"  // elapsed time only
	Regulation Calendar = "1182/71" // Regulation (EEC, Euratom) No 1182/71, too
)

// Valid reports whether c is a known calendar; "" is Strict.
func (c Calendar) Valid() bool { return c == "" || c == Strict || c == Regulation }

// Trigger is what starts a rule's clock.
type Trigger string

// The triggers.
const (
	ControllerAware       Trigger = "controller_aware"       // reasonably certain, as controller
	ProcessorAware        Trigger = "processor_aware"        // we know that this customer is affected
	SignificantAware      Trigger = "significant_aware"      // aware of a significant incident
	InitialSubmitted      Trigger = "initial_submitted"      // the first notice was handed in
	NotificationSubmitted Trigger = "notification_submitted" // the notification was handed in
	IntermediateSubmitted Trigger = "intermediate_submitted"
	IncidentHandled       Trigger = "incident_handled"
	CustomerAware         Trigger = "customer_aware"
	CustomerClassified    Trigger = "customer_classified"
	RequestReceived       Trigger = "request_received"
	ComplaintReceived     Trigger = "complaint_received"
)

var triggers = []Trigger{ControllerAware, ProcessorAware, SignificantAware, InitialSubmitted, NotificationSubmitted, IntermediateSubmitted,
	IncidentHandled, CustomerAware, CustomerClassified, RequestReceived, ComplaintReceived}

// Valid reports whether t is a known trigger.
func (t Trigger) Valid() bool { return slices.Contains(triggers, t) }

// Recipient is who is told.
type Recipient string

// The recipients.
const (
	ToAuthority  Recipient = "authority"
	ToController Recipient = "controller" // the customer
	ToPeople     Recipient = "people"     // data subjects
	ToCSIRT      Recipient = "csirt"      // or the competent authority of NIS2
	ToCustomers  Recipient = "customers"  // all who receive the service
	ToRegister   Recipient = "register"   // our own
	Theirs       Recipient = "theirs"     // the customer's own duty, shown as urgency
)

// Valid reports whether r is a known recipient.
func (r Recipient) Valid() bool {
	switch r {
	case ToAuthority, ToController, ToPeople, ToCSIRT, ToCustomers, ToRegister, Theirs:
		return true
	}
	return false
}

// Rule is one duty with its time.
type Rule struct {
	ID           string    `json:"id"`
	Jurisdiction string    `json:"jurisdiction"` // "EU", "UK"
	Regime       string    `json:"regime"`
	Title        string    `json:"title"`
	Trigger      Trigger   `json:"trigger"`
	Undue        bool      `json:"undue"`  // "without undue delay": Amount is a limit, or absent
	Amount       int       `json:"amount"` // 0 is no number
	Unit         Unit      `json:"unit"`
	Contract     bool      `json:"contract"` // a contract may set Amount, Unit and Trigger
	Calendar     Calendar  `json:"calendar"`
	Threshold    string    `json:"threshold"`
	Recipient    Recipient `json:"recipient"`
	Late         string    `json:"late"`
	// From and To are when it is in force: From inclusive, To exclusive, days in
	// UTC; "" is open, and a From of "" never was.
	From    string `json:"from"`
	To      string `json:"to"`
	Source  string `json:"source"`
	Enabled bool   `json:"enabled"`
}

// Pack is a set of rules.
type Pack struct {
	Version string `json:"pack"`
	Rules   []Rule `json:"rules"`
}

// Shipped returns the rules that come with this version.
func Shipped() (Pack, error) { return Parse(shipped) }

// Parse reads a pack, and refuses one that has an unknown word, a rule twice at
// one time, or a number without a unit.
func Parse(data []byte) (Pack, error) {
	var p Pack
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("law: read rules: %w", err)
	}
	var errs []error
	for i, r := range p.Rules {
		if err := r.check(); err != nil {
			errs = append(errs, fmt.Errorf("law: rule %s: %w", r.ID, err))
		}
		for _, o := range p.Rules[:i] {
			if o.ID == r.ID && (o.To == "" || r.From < o.To) && (r.To == "" || o.From < r.To) {
				errs = append(errs, fmt.Errorf("law: rule %s: two are in force at one time", r.ID))
			}
		}
	}
	if p.Version == "" {
		errs = append(errs, errors.New("law: the pack has no version"))
	}
	return p, errors.Join(errs...)
}

func (r Rule) check() error {
	for _, day := range []string{r.From, r.To} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			return fmt.Errorf("%q is not a day", day)
		}
	}
	switch {
	case r.ID == "" || r.Title == "" || r.Source == "":
		return errors.New("it needs an id, a title and a source")
	case !r.Trigger.Valid() || !r.Recipient.Valid() || !r.Unit.Valid() || !r.Calendar.Valid():
		return errors.New("its trigger, recipient, unit or calendar is not known")
	case (r.Amount == 0) != (r.Unit == "") || r.Amount < 0:
		return errors.New("a number needs a unit, and a unit a number")
	case r.Amount == 0 && !r.Undue:
		return errors.New("it says neither by when nor “without undue delay”")
	case r.From == "" && r.Enabled:
		return errors.New("it is enabled, and not in force")
	}
	return nil
}

// InForce reports whether the rule was in force at an instant.
func (r Rule) InForce(at time.Time) bool {
	day := at.UTC().Format(time.DateOnly)
	return r.From != "" && r.From <= day && (r.To == "" || day < r.To)
}

// Find returns the rule of an id that was in force when its trigger happened.
// ok is false where there was none, or it is not enabled.
func (p Pack) Find(id string, triggered time.Time) (r Rule, ok bool) {
	for _, r := range p.Rules {
		if r.ID == id && r.Enabled && r.InForce(triggered) {
			return r, true
		}
	}
	return Rule{}, false
}

// Of returns the enabled rules of a jurisdiction that a trigger started at an instant.
func (p Pack) Of(jurisdiction string, t Trigger, at time.Time) (out []Rule) {
	for _, r := range p.Rules {
		if r.Jurisdiction == jurisdiction && r.Trigger == t && r.Enabled && r.InForce(at) {
			out = append(out, r)
		}
	}
	return out
}

// ShippedJSON returns the pack that comes with this version, as it is written.
func ShippedJSON() []byte { return slices.Clone(shipped) }
