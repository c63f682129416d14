package incidents_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

func TestSetTermsRefuses(t *testing.T) {
	each(t, func(w *world) {
		for name, c := range map[string]struct {
			in      incidents.Terms
			pointer string
		}{
			"less than nothing": {incidents.Terms{Amount: -1, Unit: law.Hours}, "/amount"},
			"a year":            {incidents.Terms{Amount: 8760, Unit: law.Hours}, "/amount"},
			"a number alone":    {incidents.Terms{Amount: 12}, "/unit"},
			"months":            {incidents.Terms{Amount: 1, Unit: law.Months}, "/unit"},
			"a role":            {incidents.Terms{Role: "owner"}, "/role"},
			"a jurisdiction":    {incidents.Terms{Jurisdiction: "US"}, "/jurisdiction"},
			"a country":         {incidents.Terms{Country: "XX"}, "/country"},
			"a zone":            {incidents.Terms{Zone: "Europe/Atlantis"}, "/zone"},
			"a server's role":   {incidents.Terms{Services: map[string]incidents.DataRole{w.mapleOne.ID: "x"}}, "/services"},
			"an unknown server": {incidents.Terms{Services: map[string]incidents.DataRole{"srv_x": incidents.Controller}}, "/services"},
		} {
			c.in.Customer = w.maple.ID
			_, err := w.incidents.SetTerms(w.ctx, w.all, c.in)
			var e *controlplane.Error
			if !asError(err, &e) || e.Code != controlplane.CodeInvalid || e.Fields[0].Pointer != c.pointer {
				t.Errorf("%s: got %v", name, err)
			}
		}
		first := must[incidents.Terms](t)(w.incidents.SetTerms(w.ctx, w.all, incidents.Terms{Customer: "maple", Amount: 12, Unit: law.Hours}))
		if first.Customer != w.maple.ID || first.Version != 1 || first.Role != incidents.RoleUnknown {
			t.Errorf("got %+v", first)
		}
		must[incidents.Terms](t)(w.incidents.SetTerms(w.ctx, w.all, first))
		if _, err := w.incidents.SetTerms(w.ctx, w.all, first); code(err) != controlplane.CodeConflict {
			t.Errorf("an old version: %v", err)
		}
		if _, err := w.incidents.SetTerms(w.ctx, w.all, incidents.Terms{Customer: "nobody"}); code(err) != controlplane.CodeNotFound {
			t.Errorf("nobody: %v", err)
		}
		got := must[incidents.Terms](t)(w.incidents.TermsOf(w.ctx, w.all, "maple"))
		if got.Amount != 12 || got.Version != 2 {
			t.Errorf("read: %+v", got)
		}
	})
}

func TestCompany(t *testing.T) {
	each(t, func(w *world) {
		if c := must[incidents.Company](t)(w.incidents.CompanyProfile(w.ctx, w.all)); c.Version != 0 || c.Name != "" {
			t.Errorf("nothing recorded: %+v", c)
		}
		in := incidents.Company{Name: "Ostler Hosting", Jurisdiction: "EU", Country: "DE", Zone: "Europe/Berlin", Authorities: []string{"BfDI"}, Contact: "Dora Dahl", ContactEmail: "privacy@ostler.example",
			Entity: law.Entity{Type: law.Essential, Size: law.Medium, Services: []law.Service{law.Cloud, law.TLD}}}
		c := must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, in))
		got := must[incidents.Company](t)(w.incidents.CompanyProfile(w.ctx, w.all))
		if got.Version != 1 || got.Contact != "Dora Dahl" || got.Entity.Services[0] != law.Cloud || got.Entity.Type != law.Essential || got.Entity.Size != law.Medium || c.Version != 1 {
			t.Errorf("got %+v", got)
		}
		got.Version = 1
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, got))
		if _, err := w.incidents.SetCompany(w.ctx, w.all, got); code(err) != controlplane.CodeConflict {
			t.Errorf("an old version: %v", err)
		}
		for pointer, bad := range map[string]incidents.Company{
			"/jurisdiction": {Jurisdiction: "US"}, "/zone": {Zone: "x/y"}, "/country": {Country: "XX"}, "/entity/type": {Entity: law.Entity{Type: "perhaps"}}, "/entity/size": {Entity: law.Entity{Size: "enormous"}},
			"/entity/services": {Entity: law.Entity{Services: []law.Service{"bakery"}}}, "/contact_email": {ContactEmail: "Dora <d@x>"}, "/name": {Name: strings.Repeat("x", 201)},
		} {
			_, err := w.incidents.SetCompany(w.ctx, w.all, bad)
			var e *controlplane.Error
			if !asError(err, &e) || e.Code != controlplane.CodeInvalid || e.Fields[0].Pointer != pointer {
				t.Errorf("%s: got %v", pointer, err)
			}
		}
		for _, e := range w.entries("incident.company") {
			if data, _ := json.Marshal(e.Data); bytes.Contains(data, []byte("Dora")) {
				t.Error("a person's name stands clear in the ledger")
			}
		}
	})
}
