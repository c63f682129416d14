package law_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/incidents/law"
)

// Whom NIS2 is about goes by type, size and services (Articles 2 and 3); what is
// missing is said, and never makes it "not due".
func TestInScope(t *testing.T) {
	services := func(s ...law.Service) []law.Service { return s }
	for name, c := range map[string]struct {
		e    law.Entity
		want law.Answer
		why  string
	}{
		"nothing recorded":                 {law.Entity{}, law.Unknown, "Missing is which of the services"},
		"essential":                        {law.Entity{Type: law.Essential}, law.Yes, "as recorded"},
		"important, and small":             {law.Entity{Type: law.Important, Size: law.Small, Services: services(law.ManagedService)}, law.Yes, "as recorded"},
		"not in scope":                     {law.Entity{Type: law.NotInScope}, law.No, "as recorded"},
		"not in scope, and small":          {law.Entity{Type: law.NotInScope, Size: law.Small, Services: services(law.Cloud)}, law.No, "as recorded"},
		"not in scope, size not known":     {law.Entity{Type: law.NotInScope, Size: law.UnknownSize, Services: services(law.Cloud)}, law.No, "as recorded"},
		"not in scope, and medium":         {law.Entity{Type: law.NotInScope, Size: law.Medium, Services: services(law.Cloud)}, law.Unknown, "One of the two is wrong"},
		"not in scope, with names":         {law.Entity{Type: law.NotInScope, Size: law.Micro, Services: services(law.DNS)}, law.Unknown, "One of the two is wrong"},
		"managed services, medium":         {law.Entity{Type: law.UnknownType, Size: law.Medium, Services: services(law.ManagedService)}, law.Yes, "medium size or larger"},
		"a data centre, large":             {law.Entity{Size: law.Large, Services: services(law.DataCentre)}, law.Yes, "medium size or larger"},
		"cloud, medium":                    {law.Entity{Size: law.Medium, Services: services(law.Cloud)}, law.Yes, "medium size or larger"},
		"cloud, small":                     {law.Entity{Size: law.Small, Services: services(law.Cloud)}, law.Unknown, "missing is the type"},
		"managed services, micro":          {law.Entity{Size: law.Micro, Services: services(law.ManagedService)}, law.Unknown, "missing is the type"},
		"managed services, size not known": {law.Entity{Size: law.UnknownSize, Services: services(law.ManagedService)}, law.Unknown, "Missing is the size"},
		"managed services, size not asked": {law.Entity{Services: services(law.ManagedService)}, law.Unknown, "Missing is the size"},
		"large, services not known":        {law.Entity{Size: law.Large}, law.Unknown, "Missing is which of the services"},
		"names, micro":                     {law.Entity{Size: law.Micro, Services: services(law.DNS)}, law.Yes, "at any size"},
		"a registry, size not known":       {law.Entity{Services: services(law.TLD)}, law.Yes, "at any size"},
		"names among others":               {law.Entity{Size: law.Small, Services: services(law.ManagedService, law.DNS)}, law.Yes, "at any size"},
		"as recorded before: yes":          {law.Entity{Scope: law.Yes}, law.Yes, "as recorded"},
		"as recorded before: no":           {law.Entity{Scope: law.No}, law.No, "as recorded"},
		"as recorded before: unknown":      {law.Entity{Scope: law.Unknown}, law.Unknown, "not recorded"},
		"the type counts, not what was":    {law.Entity{Type: law.UnknownType, Scope: law.No}, law.Unknown, "not recorded"},
	} {
		got, why := c.e.InScope()
		if got != c.want || !strings.Contains(why, c.why) {
			t.Errorf("%s: got %s, %q; want %s, …%s…", name, got, why, c.want, c.why)
		}
		if s := law.Significant(c.e, law.Impact{OutageMinutes: 31, Malicious: law.Yes}); c.want == law.Unknown && s.Answer != law.Unknown || c.want == law.No && s.Answer != law.No {
			t.Errorf("%s: what happened is %s", name, s.Answer)
		}
	}
}

// What makes an incident significant is said without what is not known beside it.
func TestSignificantSaysWhy(t *testing.T) {
	e := law.Entity{Type: law.Important, Services: []law.Service{law.ManagedService}}
	got := law.Significant(e, law.Impact{OutageMinutes: 31, Malicious: law.Yes})
	if want := "Unavailable for more than 30 minutes (Article 10). A suspected malicious act compromised it (Article 10)."; strings.Join(got.Why, " ") != want {
		t.Errorf("got %q, want %q", got.Why, want)
	}
	got = law.Significant(e, law.Impact{Malicious: law.No, TradeSecrets: law.No, Harm: law.No, Recurring: law.No})
	if len(got.Why) != 1 || !strings.HasPrefix(got.Why[0], "Not known: Somebody had access") {
		t.Errorf("got %q, want what is not known", got.Why)
	}
}

// Most financial entities may send by noon of the next working day what ends when
// nobody works.
func TestNoonAfter(t *testing.T) {
	holidays, err := law.HolidaysOf("DE")
	if err != nil {
		t.Fatal(err)
	}
	berlin := zone(t, "Europe/Berlin")
	for _, c := range []struct{ end, want string }{
		{"2026-11-20T23:30:00+01:00", ""},                          // Friday
		{"2026-11-21T00:10:00+01:00", "2026-11-23T12:00:00+01:00"}, // Saturday
		{"2026-11-22T18:00:00+01:00", "2026-11-23T12:00:00+01:00"}, // Sunday
		{"2026-12-25T09:00:00+01:00", "2026-12-28T12:00:00+01:00"}, // Christmas, then a weekend
		{"2026-03-28T10:00:00+01:00", "2026-03-30T12:00:00+02:00"}, // clocks go forward in between
	} {
		end, err := time.Parse(form, c.end)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := law.NoonAfter(end.In(berlin), holidays)
		if ok != (c.want != "") || ok && got.Format(form) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.end, got.Format(form), ok, c.want)
		}
	}
	if _, ok := law.NoonAfter(time.Date(2026, 12, 25, 9, 0, 0, 0, berlin), nil); ok {
		t.Error("a holiday that is not known is a working day")
	}
}

// TestShippedRules holds every rule of the facts: what starts it, how long it is,
// how it is counted, who is told, and since when.
func TestShippedRules(t *testing.T) {
	want := []string{
		"gdpr-33-1 EU controller_aware 72 hours 1182/71 authority 2018-05-25.. on",
		"gdpr-33-2 EU processor_aware undue 24 hours contract controller 2018-05-25.. on",
		"gdpr-33-5 EU controller_aware undue register 2018-05-25.. on",
		"gdpr-34 EU controller_aware undue people 2018-05-25.. on",
		"gdpr-12-3 EU request_received 1 months 1182/71 people 2018-05-25.. on",
		"eu-611-2013-initial EU controller_aware 24 hours 1182/71 authority 2013-08-25.. on",
		"eu-611-2013-full EU initial_submitted 3 days 1182/71 authority 2013-08-25.. on",
		"nis2-23-early EU significant_aware 24 hours 1182/71 csirt 2024-10-18.. on",
		"nis2-23-notification EU significant_aware 72 hours 1182/71 csirt 2024-10-18.. on",
		"nis2-23-final EU notification_submitted 1 months 1182/71 csirt 2024-10-18.. on",
		"nis2-23-final-handled EU incident_handled 1 months 1182/71 csirt 2024-10-18.. on",
		"nis2-23-recipients EU significant_aware undue customers 2024-10-18.. on",
		"dora-initial EU customer_classified 4 hours strict theirs 2025-01-17.. on",
		"dora-initial-outer EU customer_aware 24 hours strict theirs 2025-01-17.. on",
		"dora-intermediate EU initial_submitted 72 hours strict theirs 2025-01-17.. on",
		"dora-final EU intermediate_submitted 1 months strict theirs 2025-01-17.. on",
		"uk-gdpr-33-1 UK controller_aware 72 hours strict authority 2021-01-01.. on",
		"uk-gdpr-33-2 UK processor_aware undue 24 hours contract strict controller 2021-01-01.. on",
		"uk-gdpr-33-5 UK controller_aware undue register 2021-01-01.. on",
		"uk-gdpr-34 UK controller_aware undue people 2021-01-01.. on",
		"uk-pecr-5a UK controller_aware 24 hours strict authority 2013-08-25..2025-08-20 on",
		"uk-pecr-5a UK controller_aware 72 hours strict authority 2025-08-20.. on",
		"uk-complaints UK complaint_received 30 days strict people 2026-06-19.. on",
		"uk-csrb-initial UK significant_aware 24 hours strict authority .. off",
		"uk-csrb-full UK significant_aware 72 hours strict authority .. off",
		"omnibus-96h EU controller_aware 96 hours 1182/71 authority .. off",
	}
	var got []string
	for _, r := range pack(t).Rules {
		got = append(got, described(r))
		if r.Regime == "DORA" && !strings.Contains(r.Threshold, "recalled") {
			t.Errorf("%s: what is recalled does not say so", r.ID)
		}
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// described is a rule in one line.
func described(r law.Rule) string {
	parts := []string{r.ID, r.Jurisdiction, string(r.Trigger)}
	if r.Undue {
		parts = append(parts, "undue")
	}
	if r.Amount > 0 {
		parts = append(parts, strconv.Itoa(r.Amount), string(r.Unit))
	}
	if r.Contract {
		parts = append(parts, "contract")
	}
	for _, p := range []string{string(r.Calendar), string(r.Recipient), r.From + ".." + r.To} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if r.Enabled {
		return strings.Join(append(parts, "on"), " ")
	}
	return strings.Join(append(parts, "off"), " ")
}
