package access_test

import (
	"slices"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
)

const day = 24 * time.Hour

func TestWhereAServerStands(t *testing.T) {
	for _, tc := range []struct {
		facility, location, rack string
		want                     bool
	}{
		{"Frankfurt 1", "Frankfurt 1, room 2, rack 7", "", true},
		{"frankfurt  1", "Frankfurt 1,room 2", "", true},
		{"Frankfurt 1", "Frankfurt 12, room 2", "", false},
		{"Frankfurt 1, room 2", "Frankfurt 1, room 2, rack 7", "", true},
		{"Frankfurt 1, room 3", "Frankfurt 1, room 2, rack 7", "", false},
		{"Frankfurt 1", "Frankfurt 1, room 2, rack 7", "7", true},
		{"Frankfurt 1", "Frankfurt 1, room 2, rack 7", "Rack 7", true},
		{"Frankfurt 1", "Frankfurt 1, room 2, rack 7", "8", false},
		{"Frankfurt 1", "Frankfurt 1, room 2, rack 17", "7", false},
		{"Frankfurt 1", "Frankfurt 1", "7", false},
		{"Frankfurt 1", "", "", false},
		{"Frankfurt 1", "Berlin, Frankfurt 1", "", false},
		{"Frankfurt 1, room 2", "Frankfurt 1", "", false},
	} {
		if got := access.Stands(access.Facility{Location: tc.facility}, tc.location, tc.rack); got != tc.want {
			t.Errorf("%q, rack %q in %q: got %v, want %v", tc.location, tc.rack, tc.facility, got, tc.want)
		}
	}
}

// people of others, for entries.
func (w *teller) person(in access.NewPerson) access.Person {
	w.T.Helper()
	return must[access.Person](w.T)(w.access.AddPerson(w.Ctx, w.all, in))
}

func (w *teller) facility() access.Facility {
	w.T.Helper()
	return must[access.Facility](w.T)(w.access.PutFacility(w.Ctx, w.all, access.Facility{Name: "Main data centre", Country: "de", Location: "Frankfurt 1",
		Certificates: []access.FacilityPaper{{Name: "ISO 27001", Until: w.Clock.Now().Add(200 * day)}}, Controls: "Photo identity, cameras, alarm"}))
}

// onLists are the lines that entries put on a customer's list now.
func (w *teller) onLists(c customers.Customer) (out []string) {
	w.T.Helper()
	people := map[string]string{}
	for _, p := range must[[]access.Person](w.T)(w.access.People(w.Ctx, w.all)) {
		people[p.ID] = p.Name
	}
	var rows []struct{ PersonID, Way, Role, ServerID string }
	w.Write(func(tx *db.Tx) error {
		return tx.Raw("SELECT person_id, way, role, server_id FROM access_spans WHERE customer_id = ? AND col = ? AND source = ? AND live = 1", c.ID, string(access.Listed), access.SourceEntry).Scan(&rows).Error
	})
	for _, r := range rows {
		server := map[string]string{w.MapleOne.ID: "maple-1", w.HarbourOne.ID: "harbour-1", w.Shared.ID: "shared-1"}[r.ServerID]
		out = append(out, people[r.PersonID]+" "+r.Way+" "+r.Role+" @"+server)
	}
	slices.Sort(out)
	return out
}

// Where an entry is says on whose lists it puts somebody.
func TestEntriesReachLists(t *testing.T) {
	tellEach(t, func(w *teller) {
		w.Share()
		f := w.facility()
		guest := w.person(access.NewPerson{Kind: access.KindThirdParty, Name: "Gus Guest", Company: "Cables & Co"})
		dev := w.person(access.NewPerson{Kind: access.KindCustomer, Customer: w.Maple.ID, Name: "Dev Eloper"})
		robot := w.person(access.NewPerson{Kind: access.KindService, Name: "deploy-bot", Owner: w.cleo.ID})
		until := w.Clock.Now().Add(2 * day)
		for _, tc := range []struct {
			name           string
			entry          access.Entry
			maple, harbour []string
		}{
			{"one customer, on servers of its own and a shared one", access.Entry{Way: access.WayLogin, Person: w.bob.ID, Customer: w.Maple.Slug, Role: "root"},
				[]string{"Bob Builder login root @"}, []string{"Bob Builder login root @shared-1"}},
			{"backup keys reach the customer's own", access.Entry{Way: access.WayBackupKey, Person: w.bob.ID, Customer: w.Maple.ID}, []string{"Bob Builder backup_key  @"}, nil},
			{"those the customer let in", access.Entry{Way: access.WayCustomer, Person: dev.ID, Customer: w.Maple.ID, Role: "developer"}, []string{"Dev Eloper customer developer @"}, nil},
			{"one server", access.Entry{Way: access.WayAdmin, Person: w.cleo.ID, Server: w.HarbourOne.ID, Role: "hypervisor pve-1"}, nil, []string{"Cleo Clark admin hypervisor pve-1 @harbour-1"}},
			{"a shared server", access.Entry{Way: access.WayAdmin, Person: w.cleo.ID, Server: w.Shared.ID}, []string{"Cleo Clark admin  @shared-1"}, []string{"Cleo Clark admin  @shared-1"}},
			{"a rack", access.Entry{Way: access.WayVisit, Person: guest.ID, Facility: f.ID, Rack: "7", Role: "cabling", Escort: w.bob.ID},
				[]string{"Gus Guest visit cabling, Main data centre, rack 7 @maple-1", "Gus Guest visit cabling, Main data centre, rack 7 @shared-1"},
				[]string{"Gus Guest visit cabling, Main data centre, rack 7 @harbour-1", "Gus Guest visit cabling, Main data centre, rack 7 @shared-1"}},
			{"another rack", access.Entry{Way: access.WayPhysical, Person: guest.ID, Facility: f.ID, Rack: "8"}, nil, nil},
			{"everybody", access.Entry{Way: access.WayService, Person: robot.ID, Role: "deploys"}, []string{"deploy-bot service deploys @"}, []string{"deploy-bot service deploys @"}},
		} {
			tc.entry.Reason, tc.entry.Until = "because of the work", until
			e, err := w.access.AddEntry(w.Ctx, w.all, tc.entry)
			if err != nil {
				w.T.Errorf("%s: %v %+v", tc.name, err, err)
				continue
			}
			same(w.T, tc.name+": maple", w.onLists(w.Maple), tc.maple)
			same(w.T, tc.name+": harbour", w.onLists(w.Harbour), tc.harbour)
			ctx, scope := w.Owner(w.Harbour)
			items, _, err := w.access.Entries(ctx, scope, access.EntryFilter{})
			if err != nil || (len(items) > 0) != (len(tc.harbour) > 0) {
				w.T.Errorf("%s: harbour sees %v, %v", tc.name, items, err)
			}
			for _, x := range items {
				if x.Customer != "" || x.PersonName == "" || (x.Reason == "") != (tc.entry.Customer != "") {
					w.T.Errorf("%s: harbour sees of a neighbour's: %+v", tc.name, x)
				}
			}
			ended := must[access.Entry](w.T)(w.access.EndEntry(w.Ctx, w.all, e.ID, "it is done"))
			if ended.EndedAt.IsZero() || ended.EndedWhy != "it is done" || ended.PersonName == "" {
				w.T.Errorf("%s: ended: got %+v", tc.name, ended)
			}
			must[access.Entry](w.T)(w.access.EndEntry(w.Ctx, w.all, e.ID, "again"))
			same(w.T, tc.name+": ended", append(w.onLists(w.Maple), w.onLists(w.Harbour)...), nil)
		}
	})
}

func TestEntriesThatCannotStand(t *testing.T) {
	clock := &dbtest.Clock{}
	w := newTeller(t, dbtest.SQLite(t, clock), clock)
	f := w.facility()
	guest := w.person(access.NewPerson{Kind: access.KindThirdParty, Name: "Gus Guest"})
	dev := w.person(access.NewPerson{Kind: access.KindCustomer, Customer: w.Maple.ID, Name: "Dev Eloper"})
	robot := w.person(access.NewPerson{Kind: access.KindService, Name: "deploy-bot", Owner: w.cleo.ID})
	now := clock.Now()
	good := access.Entry{Way: access.WayVisit, Person: guest.ID, Facility: f.ID, Rack: "7", Escort: w.bob.ID, Reason: "new cables", Until: now.Add(time.Hour)}
	for _, tc := range []struct {
		name    string
		change  func(e *access.Entry)
		pointer string
	}{
		{"good", func(*access.Entry) {}, ""},
		{"no reason", func(e *access.Entry) { e.Reason = " " }, "/reason"},
		{"no end and no review", func(e *access.Entry) { e.Way, e.Escort, e.Until = access.WayPhysical, "", time.Time{} }, "/until"},
		{"a review instead of an end", func(e *access.Entry) {
			e.Way, e.Escort, e.Until, e.ReviewBy = access.WayPhysical, "", time.Time{}, now.Add(90*day)
		}, ""},
		{"a visit without an end", func(e *access.Entry) { e.Until, e.ReviewBy = time.Time{}, now.Add(day) }, "/until"},
		{"a visit of a month", func(e *access.Entry) { e.Until = now.Add(30 * day) }, "/until"},
		{"past", func(e *access.Entry) { e.From, e.Until = now.Add(-2*day), now.Add(-day) }, "/until"},
		{"before it begins", func(e *access.Entry) { e.From, e.Until = now.Add(2*day), now.Add(day) }, "/until"},
		{"two years", func(e *access.Entry) { e.Way, e.Escort, e.Until = access.WayPhysical, "", now.Add(800*day) }, "/until"},
		{"a review in two years", func(e *access.Entry) { e.ReviewBy = now.Add(800 * day) }, "/review_by"},
		{"two places", func(e *access.Entry) { e.Customer = w.Maple.ID }, "/server"},
		{"a rack of nowhere", func(e *access.Entry) { e.Facility = "" }, "/facility"},
		{"a visit without an escort", func(e *access.Entry) { e.Escort = "" }, "/escort"},
		{"an escort of oneself", func(e *access.Entry) { e.Escort = e.Person }, "/escort"},
		{"a robot as escort", func(e *access.Entry) { e.Escort = robot.ID }, "/escort"},
		{"an escort to what is no visit", func(e *access.Entry) { e.Way = access.WayPhysical }, "/escort"},
		{"nobody", func(e *access.Entry) { e.Person = "prs_nobody" }, "/person"},
		{"a robot on a visit", func(e *access.Entry) { e.Person = robot.ID }, "/person"},
		{"a person as a service", func(e *access.Entry) { e.Way, e.Escort = access.WayService, "" }, "/person"},
		{"a customer's person on a visit", func(e *access.Entry) { e.Person = dev.ID }, "/way"},
		{"ours as let in by the customer", func(e *access.Entry) {
			e.Way, e.Escort, e.Facility, e.Rack, e.Customer = access.WayCustomer, "", "", "", w.Maple.ID
		}, "/person"},
		{"another customer's person", func(e *access.Entry) {
			e.Way, e.Escort, e.Facility, e.Rack, e.Customer, e.Person = access.WayCustomer, "", "", "", w.Harbour.ID, dev.ID
		}, "/person"},
		{"Teleport is for grants", func(e *access.Entry) { e.Way, e.Escort = access.WayTeleport, "" }, "/way"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := good
			tc.change(&e)
			_, err := w.access.AddEntry(w.Ctx, w.all, e)
			wantField(t, err, tc.pointer)
		})
	}
	ctx, scope := w.Owner(w.Maple)
	if _, err := w.access.AddEntry(ctx, scope, good); code(err) != controlplane.CodeForbidden {
		t.Errorf("a customer adds somebody everywhere: got %v, want forbidden", err)
	}
}

// wantField checks that an error is about a field, or none where pointer is "".
func wantField(t testing.TB, err error, pointer string) {
	t.Helper()
	var got []string
	var e *controlplane.Error
	if asError(err, &e) {
		for _, f := range e.Fields {
			got = append(got, f.Pointer)
		}
	}
	if pointer == "" && err != nil || pointer != "" && !slices.Contains(got, pointer) {
		t.Errorf("got %v about %v, want %q", err, got, pointer)
	}
}

// Entries end by themselves, and when people leave; lists follow servers and customers.
func TestEntriesFollowTheWorld(t *testing.T) {
	tellEach(t, func(w *teller) {
		w.facility()
		f := must[[]access.Facility](w.T)(w.access.Facilities(w.Ctx, w.all))[0]
		add := func(e access.Entry) access.Entry {
			e.Reason = "the work"
			return must[access.Entry](w.T)(w.access.AddEntry(w.Ctx, w.all, e))
		}
		physical := add(access.Entry{Way: access.WayPhysical, Person: w.bob.ID, Facility: f.ID, Until: w.Clock.Now().Add(30 * day)})
		w.tellDue()
		on := "Bob Builder physical Main data centre @maple-1"
		same(w.T, "first", w.onLists(w.Maple), []string{on})
		w.Share()
		w.tellDue()
		same(w.T, "a tenancy came", w.onLists(w.Maple), []string{on, "Bob Builder physical Main data centre @shared-1"})
		berlin := "Berlin, rack 1"
		must[customers.Server](w.T)(w.Customers.UpdateServer(w.Ctx, w.all, w.Shared.ID, customers.ServerChange{Location: &berlin}))
		w.after(time.Minute)
		same(w.T, "a server was moved", w.onLists(w.Maple), []string{on})
		ctx, scope := w.Owner(w.Maple)
		if got := must[[]access.Facility](w.T)(w.access.Facilities(ctx, scope)); len(got) != 1 || got[0].Certificates[0].Name != "ISO 27001" {
			w.T.Errorf("maple's facilities: got %+v", got)
		}
		all := must[[]customers.Tenancy](w.T)(w.Customers.Tenancies(w.Ctx, w.all, customers.TenancyFilter{Server: w.MapleOne.ID}))
		must[customers.Tenancy](w.T)(w.Customers.EndTenancy(w.Ctx, w.all, all[0].ID))
		same(w.T, "a tenancy ended, at once", w.onLists(w.Maple), nil)
		same(w.T, "the neighbour's stays", w.onLists(w.Harbour), []string{"Bob Builder physical Main data centre @harbour-1"})
		w.after(31 * day)
		same(w.T, "its time is over", w.onLists(w.Harbour), nil)
		items, _, err := w.access.Entries(w.Ctx, w.all, access.EntryFilter{Ended: true, Person: w.bob.ID, Ways: []access.Way{access.WayPhysical}})
		if err != nil || len(items) != 1 || items[0].ID != physical.ID || !items[0].EndedAt.Equal(physical.Until) || items[0].EndedWhy != access.WhyExpired {
			w.T.Errorf("ended: got %+v, %v", items, err)
		}

		robot := w.person(access.NewPerson{Kind: access.KindService, Name: "deploy-bot", Owner: w.bob.ID})
		add(access.Entry{Way: access.WayService, Person: robot.ID, Server: w.HarbourOne.ID, ReviewBy: w.Clock.Now().Add(60 * day)})
		add(access.Entry{Way: access.WayAdmin, Person: w.bob.ID, Server: w.HarbourOne.ID, Until: w.Clock.Now().Add(30 * day)})
		same(w.T, "both", w.onLists(w.Harbour), []string{"Bob Builder admin  @harbour-1", "deploy-bot service  @harbour-1"})
		if _, err := w.access.Leave(w.Ctx, w.all, w.bob.ID, "found another job"); err != nil {
			w.T.Fatal(err)
		}
		w.after(2 * time.Hour)
		w.after(2 * time.Hour)
		same(w.T, "Bob left", w.onLists(w.Harbour), []string{"deploy-bot service  @harbour-1"})
		same(w.T, "nobody answers for the robot", w.foundOf("access.unexplained"), []string{"deploy-bot"})
		must[access.Person](w.T)(w.access.ChangePerson(w.Ctx, w.all, robot.ID, access.PersonChange{Owner: &w.cleo.ID}))
		w.after(2 * time.Hour)
		same(w.T, "Cleo does", w.foundOf("access.unexplained"), nil)
	})
}

// foundOf are what open findings of a kind are about.
func (w *world) foundOf(kind string) (out []string) {
	w.T.Helper()
	for _, f := range w.open(kind) {
		out = append(out, f.Args["what"])
	}
	return out
}

func TestReviewsAndCertificatesBecomeFindings(t *testing.T) {
	tellEach(t, func(w *teller) {
		f := w.facility()
		e := must[access.Entry](w.T)(w.access.AddEntry(w.Ctx, w.all, access.Entry{Way: access.WayBackupKey, Person: w.bob.ID, Customer: w.Maple.ID, Reason: "keeps the second key", ReviewBy: w.Clock.Now().Add(30 * day)}))
		w.after(29 * day)
		same(w.T, "before", w.foundOf("access.baseline_review"), nil)
		w.after(2 * day)
		if got := w.open("access.baseline_review"); len(got) != 1 || got[0].Args["person"] != "Bob Builder" || got[0].Args["where"] != "Maple Bakery" {
			w.T.Errorf("review: got %+v", got)
		}
		next := w.Clock.Now().Add(90 * day)
		if _, err := w.access.ReviewEntry(w.as(w.bob), w.all, e.ID, next, "still needed"); code(err) != controlplane.CodeForbidden {
			w.T.Errorf("Bob reviews Bob: got %v, want forbidden", err)
		}
		if _, err := w.access.ReviewEntry(w.Ctx, w.all, e.ID, next.Add(400*day), "still needed"); code(err) != controlplane.CodeInvalid {
			w.T.Errorf("in two years: got %v, want invalid", err)
		}
		if got := must[access.Entry](w.T)(w.access.ReviewEntry(w.Ctx, w.all, e.ID, next, "still needed")); !got.ReviewBy.Equal(next) {
			w.T.Errorf("reviewed: got %+v", got)
		}
		w.after(2 * time.Hour)
		same(w.T, "reviewed", w.foundOf("access.baseline_review"), nil)

		w.after(138 * day) // 169 of 200 days
		same(w.T, "a certificate with 31 days", w.foundOf("access.facility_certificate"), nil)
		w.after(2 * day)
		same(w.T, "with 29 days", w.foundOf("access.facility_certificate"), []string{"ISO 27001"})
		f.Certificates = append(f.Certificates, access.FacilityPaper{Name: "ISO 27001", Number: "2", Until: w.Clock.Now().Add(365 * day)})
		f = must[access.Facility](w.T)(w.access.PutFacility(w.Ctx, w.all, f))
		same(w.T, "the new one is there", w.foundOf("access.facility_certificate"), nil)
		f.Version--
		if _, err := w.access.PutFacility(w.Ctx, w.all, f); code(err) != controlplane.CodeConflict {
			w.T.Errorf("changed since: got %v, want conflict", err)
		}
		ctx, scope := w.Owner(w.Maple)
		if _, err := w.access.PutFacility(ctx, scope, f); code(err) != controlplane.CodeForbidden {
			w.T.Errorf("a customer changes a facility: got %v, want forbidden", err)
		}
		_, err := w.access.PutFacility(w.Ctx, w.all, access.Facility{Country: "Germany", Certificates: []access.FacilityPaper{{}}})
		for _, p := range []string{"/name", "/country", "/location", "/certificates/0/name", "/certificates/0/until"} {
			wantField(w.T, err, p)
		}
	})
}

func TestEntriesHavePages(t *testing.T) {
	clock := &dbtest.Clock{}
	w := newTeller(t, dbtest.SQLite(t, clock), clock)
	var want []string
	for _, c := range []customers.Customer{w.Maple, w.Harbour, w.Maple, w.Maple} {
		e := must[access.Entry](t)(w.access.AddEntry(w.Ctx, w.all, access.Entry{Way: access.WayBackupKey, Person: w.bob.ID, Customer: c.ID, Role: c.Slug, Reason: "the work", Until: clock.Now().Add(day)}))
		if c.ID == w.Maple.ID {
			want = append([]string{e.ID}, want...)
		}
	}
	ctx := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: w.anna.ID, Customer: w.Maple.ID, Role: string(policy.RoleOwner)})
	var got []string
	for token := ""; ; {
		items, next, err := w.access.Entries(ctx, policy.OneCustomer(w.Maple.ID), access.EntryFilter{Limit: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range items {
			got = append(got, e.ID)
		}
		if token = next; token == "" {
			break
		}
	}
	same(t, "pages", got, want)
}
