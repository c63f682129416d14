package law_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/incidents/law"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func pack(t *testing.T) law.Pack {
	t.Helper()
	p, err := law.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const form = "2006-01-02T15:04:05Z07:00"

// TestClock holds the published worked example, and every kind of rule at its edges.
func TestClock(t *testing.T) {
	for name, c := range map[string]struct {
		rule, trigger, zone, country string
		strict, regulation           string // "" is none
	}{
		"worked example":               {"gdpr-33-1", "2020-12-22T12:17:00+01:00", "Europe/Berlin", "DE", "2020-12-25T12:17:00+01:00", "2020-12-25T13:00:00+01:00"},
		"on the hour":                  {"gdpr-33-1", "2026-10-20T12:00:00+02:00", "Europe/Berlin", "DE", "2026-10-23T12:00:00+02:00", "2026-10-23T13:00:00+02:00"},
		"clocks go back in between":    {"gdpr-33-1", "2026-10-23T10:30:00+02:00", "Europe/Berlin", "DE", "2026-10-26T09:30:00+01:00", "2026-10-26T10:00:00+01:00"},
		"clocks go forward in between": {"gdpr-33-1", "2026-03-28T10:30:00+01:00", "Europe/Berlin", "DE", "2026-03-31T11:30:00+02:00", "2026-03-31T12:00:00+02:00"},
		"the hour that is skipped":     {"gdpr-33-1", "2026-03-29T01:30:00+01:00", "Europe/Berlin", "DE", "2026-04-01T02:30:00+02:00", "2026-04-01T03:00:00+02:00"},
		"over a weekend":               {"gdpr-33-1", "2026-11-20T16:05:00+01:00", "Europe/Berlin", "DE", "2026-11-23T16:05:00+01:00", "2026-11-23T17:00:00+01:00"},
		"half an hour off":             {"gdpr-33-1", "2026-11-20T16:05:00+05:30", "Asia/Kolkata", "", "2026-11-23T16:05:00+05:30", "2026-11-23T17:00:00+05:30"},
		"three quarters off":           {"gdpr-33-1", "2026-11-20T16:44:59+05:45", "Asia/Kathmandu", "", "2026-11-23T16:44:59+05:45", "2026-11-23T17:00:00+05:45"},
		"clocks change by half":        {"gdpr-33-1", "2026-10-04T01:40:00+10:30", "Australia/Lord_Howe", "", "2026-10-07T02:10:00+11:00", "2026-10-07T03:00:00+11:00"},
		"processor":                    {"gdpr-33-2", "2026-11-21T23:59:59+01:00", "Europe/Berlin", "DE", "2026-11-22T23:59:59+01:00", ""},
		"people: no number":            {"gdpr-34", "2026-11-21T23:59:59+01:00", "Europe/Berlin", "DE", "", ""},
		"UK: strict only":              {"uk-gdpr-33-1", "2026-11-20T16:05:00Z", "Europe/London", "GB", "2026-11-23T16:05:00Z", ""},
		"PECR before":                  {"uk-pecr-5a", "2025-08-19T23:00:00Z", "Europe/London", "GB", "2025-08-21T00:00:00+01:00", ""},
		"PECR from then":               {"uk-pecr-5a", "2025-08-20T00:00:00Z", "Europe/London", "GB", "2025-08-23T01:00:00+01:00", ""},
		"NIS2 early":                   {"nis2-23-early", "2026-11-20T16:05:00+01:00", "Europe/Berlin", "DE", "2026-11-21T16:05:00+01:00", "2026-11-21T17:00:00+01:00"},
		"NIS2 final":                   {"nis2-23-final", "2026-11-20T16:05:00+01:00", "Europe/Berlin", "DE", "2026-12-20T23:59:59+01:00", "2026-12-21T23:59:59+01:00"},
		"NIS2 final, Christmas":        {"nis2-23-final", "2026-11-25T09:00:00+01:00", "Europe/Berlin", "DE", "2026-12-25T23:59:59+01:00", "2026-12-28T23:59:59+01:00"},
		"31 January":                   {"nis2-23-final", "2026-01-31T09:00:00+01:00", "Europe/Berlin", "DE", "2026-02-28T23:59:59+01:00", "2026-03-02T23:59:59+01:00"},
		"31 January, leap year":        {"nis2-23-final", "2028-01-31T09:00:00+01:00", "Europe/Berlin", "DE", "2028-02-29T23:59:59+01:00", "2028-02-29T23:59:59+01:00"},
		"over the year":                {"nis2-23-final", "2026-12-31T09:00:00+01:00", "Europe/Berlin", "DE", "2027-01-31T23:59:59+01:00", "2027-02-01T23:59:59+01:00"},
		"a day of 25 hours":            {"nis2-23-final", "2026-09-25T09:00:00+02:00", "Europe/Berlin", "DE", "2026-10-25T23:59:59+01:00", "2026-10-26T23:59:59+01:00"},
		"telecoms, three days":         {"eu-611-2013-full", "2026-11-20T16:05:00+01:00", "Europe/Berlin", "DE", "2026-11-23T23:59:59+01:00", "2026-11-23T23:59:59+01:00"},
		"complaint":                    {"uk-complaints", "2026-07-01T09:00:00+01:00", "Europe/London", "GB", "2026-07-31T23:59:59+01:00", ""},
		"customer's own, classified":   {"dora-initial", "2026-11-20T22:05:00+01:00", "Europe/Berlin", "DE", "2026-11-21T02:05:00+01:00", ""},
		"customer's own, aware":        {"dora-initial-outer", "2026-10-24T22:05:00+02:00", "Europe/Berlin", "DE", "2026-10-25T21:05:00+01:00", ""},
		"customer's own, intermediate": {"dora-intermediate", "2026-11-20T22:05:00+01:00", "Europe/Berlin", "DE", "2026-11-23T22:05:00+01:00", ""},
		"customer's own, final":        {"dora-final", "2026-01-31T22:05:00+01:00", "Europe/Berlin", "DE", "2026-02-28T23:59:59+01:00", ""},
		"NIS2 notification":            {"nis2-23-notification", "2026-11-20T16:05:00+01:00", "Europe/Berlin", "DE", "2026-11-23T16:05:00+01:00", "2026-11-23T17:00:00+01:00"},
		"NIS2 final, handled":          {"nis2-23-final-handled", "2026-11-20T16:05:00+01:00", "Europe/Berlin", "DE", "2026-12-20T23:59:59+01:00", "2026-12-21T23:59:59+01:00"},
		"NIS2: no number":              {"nis2-23-recipients", "2026-11-20T16:05:00+01:00", "Europe/Berlin", "DE", "", ""},
		"register: no number":          {"uk-gdpr-33-5", "2026-11-20T16:05:00Z", "Europe/London", "GB", "", ""},
		"UK people: no number":         {"uk-gdpr-34", "2026-11-20T16:05:00Z", "Europe/London", "GB", "", ""},
		"UK processor":                 {"uk-gdpr-33-2", "2026-10-24T16:05:00+01:00", "Europe/London", "GB", "2026-10-25T15:05:00Z", ""},
		"telecoms, a day":              {"eu-611-2013-initial", "2026-11-20T16:05:00+01:00", "Europe/Berlin", "DE", "2026-11-21T16:05:00+01:00", "2026-11-21T17:00:00+01:00"},
		"a person's request":           {"gdpr-12-3", "2026-11-25T09:00:00+01:00", "Europe/Berlin", "DE", "2026-12-25T23:59:59+01:00", "2026-12-28T23:59:59+01:00"},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := time.Parse(form, c.trigger)
			if err != nil {
				t.Fatal(err)
			}
			r, ok := pack(t).Find(c.rule, at)
			if !ok {
				t.Fatalf("no rule %s at %s", c.rule, c.trigger)
			}
			var holidays law.Holidays
			if c.country != "" {
				if holidays, err = law.HolidaysOf(c.country); err != nil {
					t.Fatal(err)
				}
			}
			d, err := law.Compute(r, at, zone(t, c.zone), holidays, at)
			if err != nil {
				t.Fatal(err)
			}
			text := func(t time.Time) string {
				if t.IsZero() {
					return ""
				}
				return t.Format(form)
			}
			if got := text(d.Strict); got != c.strict {
				t.Errorf("strict: got %s, want %s\n%s", got, c.strict, strings.Join(d.Steps, "\n"))
			}
			if got := text(d.Regulation); got != c.regulation {
				t.Errorf("1182/71: got %s, want %s\n%s", got, c.regulation, strings.Join(d.Steps, "\n"))
			}
			if !d.Regulation.IsZero() && d.Regulation.Before(d.Strict) {
				t.Error("the regulation's end is before the strict one")
			}
			if !d.Strict.IsZero() && (d.Late(d.Strict) || !d.Late(d.Strict.Add(time.Second))) {
				t.Error("late is after the strict end, and not before")
			}
			if len(d.Steps) == 0 {
				t.Error("it does not say how")
			}
		})
	}
}

func TestContractUnits(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	holidays, err := law.HolidaysOf("DE")
	if err != nil {
		t.Fatal(err)
	}
	r := law.Rule{ID: "contract", Amount: 2, Unit: law.WorkingDays}
	at := time.Date(2026, 12, 23, 15, 0, 0, 0, berlin)
	d, err := law.Compute(r, at, berlin, holidays, at)
	if got, want := d.Strict.Format(form), "2026-12-28T23:59:59+01:00"; err != nil || got != want {
		t.Errorf("got %s, %v, want %s: Christmas and a weekend lie between", got, err, want)
	}
}

func TestFuture(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	r, _ := pack(t).Find("gdpr-33-1", now)
	if _, err := law.Compute(r, now.Add(law.Skew), time.UTC, nil, now); err != nil {
		t.Errorf("clocks differ: %v", err)
	}
	if _, err := law.Compute(r, now.Add(law.Skew+time.Second), time.UTC, nil, now); !errors.Is(err, law.ErrFuture) {
		t.Errorf("got %v, want ErrFuture", err)
	}
}

// A rule is chosen by when its trigger happened; what is not law is not found.
func TestFind(t *testing.T) {
	p := pack(t)
	for _, c := range []struct {
		rule, at string
		hours    int // 0 is not found
	}{
		{"uk-pecr-5a", "2025-08-19T23:59:59Z", 24}, {"uk-pecr-5a", "2025-08-20T00:00:00Z", 72}, {"gdpr-33-1", "2018-05-24T23:59:59Z", 0},
		{"gdpr-33-1", "2018-05-25T00:00:00Z", 72}, {"omnibus-96h", "2030-01-01T00:00:00Z", 0}, {"uk-csrb-initial", "2030-01-01T00:00:00Z", 0},
		{"nis2-23-early", "2024-10-17T12:00:00Z", 0}, {"uk-complaints", "2026-06-18T12:00:00Z", 0}, {"nothing", "2026-01-01T00:00:00Z", 0},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := p.Find(c.rule, at); ok != (c.hours > 0) || r.Amount != c.hours {
			t.Errorf("%s at %s: got %d, %v, want %d", c.rule, c.at, r.Amount, ok, c.hours)
		}
	}
	var ids []string
	for _, r := range p.Of("EU", law.SignificantAware, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		ids = append(ids, r.ID)
	}
	if want := []string{"nis2-23-early", "nis2-23-notification", "nis2-23-recipients"}; !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
}

func TestBadPacks(t *testing.T) {
	good := `{"id":"a","title":"A","trigger":"controller_aware","amount":1,"unit":"hours","recipient":"authority","from":"2026-01-01","source":"s","enabled":true}`
	for name, c := range map[string]struct{ pack, want string }{
		"no version":       {`{"rules":[` + good + `]}`, "no version"},
		"twice":            {`{"pack":"1","rules":[` + good + `,` + good + `]}`, "at one time"},
		"unknown unit":     {`{"pack":"1","rules":[` + strings.Replace(good, "hours", "weeks", 1) + `]}`, "not known"},
		"no unit":          {`{"pack":"1","rules":[` + strings.Replace(good, `"hours"`, `""`, 1) + `]}`, "needs a unit"},
		"no time":          {`{"pack":"1","rules":[` + strings.Replace(good, `"amount":1,"unit":"hours",`, "", 1) + `]}`, "by when"},
		"enabled, no law":  {`{"pack":"1","rules":[` + strings.Replace(good, `"2026-01-01"`, `""`, 1) + `]}`, "not in force"},
		"not a day":        {`{"pack":"1","rules":[` + strings.Replace(good, `2026-01-01`, `soon`, 1) + `]}`, "not a day"},
		"not JSON":         {`{`, "read rules"},
		"unknown receiver": {`{"pack":"1","rules":[` + strings.Replace(good, `"authority"`, `"press"`, 1) + `]}`, "not known"},
	} {
		if _, err := law.Parse([]byte(c.pack)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestParseTime(t *testing.T) {
	for _, c := range []struct {
		text, zone, want string
		err              error
	}{
		{"2026-10-23T10:30:00+02:00", "Europe/Berlin", "2026-10-23T10:30:00+02:00", nil},
		{"2026-10-23T08:30Z", "Europe/Berlin", "2026-10-23T10:30:00+02:00", nil},
		{"2026-10-23 10:30", "Europe/Berlin", "2026-10-23T10:30:00+02:00", nil},
		{"2026-10-25 02:30", "Europe/Berlin", "", law.ErrAmbiguous},
		{"2026-10-25T02:30:00+02:00", "Europe/Berlin", "2026-10-25T02:30:00+02:00", nil},
		{"2026-10-25T02:30:00+01:00", "Europe/Berlin", "2026-10-25T02:30:00+01:00", nil},
		{"2026-03-29 02:30", "Europe/Berlin", "", law.ErrNonexistent},
		{"2026-03-29 03:00", "Europe/Berlin", "2026-03-29T03:00:00+02:00", nil},
		{"2026-04-05 01:45", "Australia/Lord_Howe", "", law.ErrAmbiguous},
		{"2026-10-04 02:15", "Australia/Lord_Howe", "", law.ErrNonexistent},
		{"2011-12-30 12:00", "Pacific/Apia", "", law.ErrNonexistent},
		{"2026-11-22 12:00:01", "Asia/Kolkata", "2026-11-22T12:00:01+05:30", nil},
		{"yesterday", "Europe/Berlin", "", law.ErrNoTime},
		{"2026-02-30 12:00", "Europe/Berlin", "", law.ErrNoTime},
	} {
		got, err := law.ParseTime(c.text, zone(t, c.zone))
		if !errors.Is(err, c.err) || err == nil && got.Format(form) != c.want {
			t.Errorf("%s in %s: got %s, %v, want %s, %v", c.text, c.zone, got.Format(form), err, c.want, c.err)
		}
	}
}

func TestAwareness(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 11, 22, hour, 0, 0, 0, time.UTC) }
	first := law.Assertion{ID: "1", Certainty: law.Certain, At: at(10), By: "ada", RecordedAt: at(11)}
	other := law.Assertion{ID: "2", Certainty: law.Certain, At: at(9), By: "bob", RecordedAt: at(12)}
	earlier := law.Assertion{ID: "3", Certainty: law.Certain, At: at(8), By: "ada", RecordedAt: at(13), Supersedes: "1"}
	later := law.Assertion{ID: "4", Certainty: law.Certain, At: at(14), By: "ada", RecordedAt: at(15), Supersedes: "1"}
	confirmed := later
	confirmed.ConfirmedBy, confirmed.ConfirmedAt = "bob", at(16)
	alone := later
	alone.ConfirmedBy, alone.ConfirmedAt = "ada", at(16)
	doubt := law.Assertion{ID: "5", Certainty: law.Suspected, At: at(10), By: "ada", RecordedAt: at(13), Supersedes: "1"}
	hunch := law.Assertion{ID: "6", Certainty: law.Suspected, At: at(7), By: "eve", RecordedAt: at(7)}
	for name, c := range map[string]struct {
		all   []law.Assertion
		known int
		want  string // "" is not aware
	}{
		"nobody":                                        {nil, 23, ""},
		"not recorded yet":                              {[]law.Assertion{first}, 10, ""},
		"one":                                           {[]law.Assertion{first}, 11, "1"},
		"the earliest counts":                           {[]law.Assertion{first, other}, 23, "2"},
		"as known before":                               {[]law.Assertion{first, other}, 11, "1"},
		"earlier counts at once":                        {[]law.Assertion{first, earlier}, 13, "3"},
		"later alone does not count":                    {[]law.Assertion{first, later}, 23, "1"},
		"nor by the same person":                        {[]law.Assertion{first, alone}, 23, "1"},
		"later, confirmed":                              {[]law.Assertion{first, confirmed}, 16, "4"},
		"before it was confirmed":                       {[]law.Assertion{first, confirmed}, 15, "1"},
		"another's word stands":                         {[]law.Assertion{first, other, confirmed}, 23, "2"},
		"taken back without a second":                   {[]law.Assertion{first, doubt}, 23, "1"},
		"a suspicion is not certainty":                  {[]law.Assertion{hunch}, 23, ""},
		"corrected twice, earlier, then":                {[]law.Assertion{first, earlier, {ID: "7", Certainty: law.Certain, At: at(6), By: "bob", RecordedAt: at(17), Supersedes: "3"}}, 23, "7"},
		"a correction that nobody confirmed, corrected": {[]law.Assertion{first, later, {ID: "8", Certainty: law.Certain, At: at(13), By: "ada", RecordedAt: at(17), Supersedes: "4"}}, 23, "1"},
		"by steps: later than the first, by another's":  {[]law.Assertion{first, earlier, {ID: "9", Certainty: law.Certain, At: at(12), By: "bob", RecordedAt: at(17), Supersedes: "3"}}, 23, "3"},
	} {
		got, ok := law.Effective(c.all, law.Certain, at(c.known))
		if got.ID != c.want || ok != (c.want != "") {
			t.Errorf("%s: got %q, want %q", name, got.ID, c.want)
		}
	}
	if got, ok := law.Effective([]law.Assertion{first, hunch}, law.Suspected, at(23)); !ok || got.ID != "6" {
		t.Errorf("suspected: got %q, want the hunch", got.ID)
	}
}

func TestSignificant(t *testing.T) {
	quiet := law.Impact{Malicious: law.No, PhysicalAccess: law.No, Recurring: law.No, TradeSecrets: law.No, Harm: law.No, Intrusion: law.No}
	with := func(f func(*law.Impact)) law.Impact { i := quiet; f(&i); return i }
	msp := law.Entity{Scope: law.Yes, Services: []law.Service{law.ManagedService}}
	dc := law.Entity{Scope: law.Yes, Services: []law.Service{law.DataCentre}}
	cloud := law.Entity{Type: law.Essential, Services: []law.Service{law.Cloud}}
	dns := law.Entity{Services: []law.Service{law.DNS}}
	tld := law.Entity{Services: []law.Service{law.TLD}}
	for name, c := range map[string]struct {
		e    law.Entity
		i    law.Impact
		want law.Answer
	}{
		"scope unknown":              {law.Entity{Scope: law.Unknown}, quiet, law.Unknown},
		"scope not recorded":         {law.Entity{}, quiet, law.Unknown},
		"out of scope":               {law.Entity{Scope: law.No}, with(func(i *law.Impact) { i.Malicious = law.Yes }), law.No},
		"nothing":                    {msp, quiet, law.No},
		"half an hour is not more":   {msp, with(func(i *law.Impact) { i.OutageMinutes = 30 }), law.No},
		"31 minutes":                 {msp, with(func(i *law.Impact) { i.OutageMinutes = 31 }), law.Yes},
		"a minute of a data centre":  {dc, with(func(i *law.Impact) { i.OutageMinutes = 1 }), law.Yes},
		"limited, few":               {msp, with(func(i *law.Impact) { i.LimitedMinutes, i.LimitedPercent = 61, 5 }), law.No},
		"limited, many":              {msp, with(func(i *law.Impact) { i.LimitedMinutes, i.LimitedPercent = 61, 5.1 }), law.Yes},
		"limited, a million":         {msp, with(func(i *law.Impact) { i.LimitedMinutes, i.LimitedUsers = 61, 1_000_001 }), law.Yes},
		"limited, how many unknown":  {msp, with(func(i *law.Impact) { i.LimitedMinutes, i.LimitedPercent, i.LimitedUsers = 61, -1, -1 }), law.Unknown},
		"limited data centre":        {dc, with(func(i *law.Impact) { i.LimitedMinutes = 61 }), law.Yes},
		"malicious":                  {msp, with(func(i *law.Impact) { i.Malicious = law.Yes }), law.Yes},
		"malicious is not known":     {msp, with(func(i *law.Impact) { i.Malicious = law.Unknown }), law.Unknown},
		"yes outweighs unknown":      {msp, with(func(i *law.Impact) { i.Malicious, i.OutageMinutes = law.Unknown, 45 }), law.Yes},
		"physical access":            {dc, with(func(i *law.Impact) { i.PhysicalAccess = law.Yes }), law.Yes},
		"physical access, no centre": {msp, with(func(i *law.Impact) { i.PhysicalAccess = law.Yes }), law.No},
		"money":                      {msp, with(func(i *law.Impact) { i.LossEUR = 500_001 }), law.Yes},
		"a twentieth of turnover":    {msp, with(func(i *law.Impact) { i.LossPercent = 5 }), law.No},
		"more of the turnover":       {msp, with(func(i *law.Impact) { i.LossPercent = 5.1 }), law.Yes},
		"half a million":             {msp, with(func(i *law.Impact) { i.LossEUR = 500_000 }), law.No},
		"money is not known":         {msp, with(func(i *law.Impact) { i.LossEUR = -1 }), law.Unknown},
		"trade secrets":              {msp, with(func(i *law.Impact) { i.TradeSecrets = law.Yes }), law.Yes},
		"trade secrets, not known":   {msp, with(func(i *law.Impact) { i.TradeSecrets = law.Unknown }), law.Unknown},
		"trade secrets, not asked":   {msp, with(func(i *law.Impact) { i.TradeSecrets = "" }), law.Unknown},
		"somebody was harmed":        {dc, with(func(i *law.Impact) { i.Harm = law.Yes }), law.Yes},
		"harm is not known":          {dc, with(func(i *law.Impact) { i.Harm = law.Unknown }), law.Unknown},
		"an intruder":                {cloud, with(func(i *law.Impact) { i.Intrusion = law.Yes }), law.Yes},
		"an intruder, not known":     {cloud, with(func(i *law.Impact) { i.Intrusion = law.Unknown }), law.Unknown},
		"compromised, few":           {msp, with(func(i *law.Impact) { i.CompromisedPct, i.CompromisedUser = 5, 1_000_000 }), law.No},
		"compromised, many":          {msp, with(func(i *law.Impact) { i.CompromisedPct = 5.1 }), law.Yes},
		"compromised, a million":     {msp, with(func(i *law.Impact) { i.CompromisedUser = 1_000_001 }), law.Yes},
		"limited for an hour":        {msp, with(func(i *law.Impact) { i.LimitedMinutes, i.LimitedPercent = 60, 50 }), law.No},
		"a centre limited, an hour":  {dc, with(func(i *law.Impact) { i.LimitedMinutes = 60 }), law.No},
		"a centre, malicious":        {dc, with(func(i *law.Impact) { i.Malicious = law.Yes }), law.Yes},
		"cloud, half an hour":        {cloud, with(func(i *law.Impact) { i.OutageMinutes = 30 }), law.No},
		"cloud, 31 minutes":          {cloud, with(func(i *law.Impact) { i.OutageMinutes = 31 }), law.Yes},
		"cloud, limited, many":       {cloud, with(func(i *law.Impact) { i.LimitedMinutes, i.LimitedPercent = 61, 6 }), law.Yes},
		"names, half an hour":        {dns, with(func(i *law.Impact) { i.OutageMinutes = 30 }), law.No},
		"names, 31 minutes":          {dns, with(func(i *law.Impact) { i.OutageMinutes = 31 }), law.Yes},
		"names, slow, however few":   {dns, with(func(i *law.Impact) { i.LimitedMinutes = 61 }), law.Yes},
		"names, compromised":         {dns, with(func(i *law.Impact) { i.CompromisedUser = 1 }), law.Yes},
		"a registry, a minute":       {tld, with(func(i *law.Impact) { i.OutageMinutes = 1 }), law.Yes},
		"recurring":                  {msp, with(func(i *law.Impact) { i.Recurring = law.Yes }), law.Yes},
		"recurring, not known":       {msp, with(func(i *law.Impact) { i.Recurring = law.Unknown }), law.Unknown},
		"scheduled":                  {msp, with(func(i *law.Impact) { i.OutageMinutes, i.Scheduled = 300, true }), law.No},
		"scheduled, and malicious":   {msp, with(func(i *law.Impact) { i.Malicious, i.Scheduled = law.Yes, true }), law.Yes},
		"scheduled, and not known":   {msp, with(func(i *law.Impact) { i.Malicious, i.Scheduled = law.Unknown, true }), law.Unknown},
		"services not recorded":      {law.Entity{Scope: law.Yes}, quiet, law.Unknown},
	} {
		got := law.Significant(c.e, c.i)
		if got.Answer != c.want || got.Answer != law.No && len(got.Why) == 0 {
			t.Errorf("%s: got %v, want %s with a reason", name, got, c.want)
		}
	}
}
