package customers_test

import (
	"slices"
	"strings"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/customers"
)

func TestTenanciesKeepApart(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		anna, bert := f.customer(t, "Anna"), f.customer(t, "Bert")
		shared, alone, empty := f.server(t, "shared"), f.server(t, "alone"), f.server(t, "empty")
		first, err := f.CreateTenancy(f.ctx, f.all, customers.NewTenancy{
			Server: shared.ID, Customer: anna.ID, Paths: []string{"/srv/anna/", "/home/anna", "/home//anna"}, Sites: []string{"WWW.Anna.example"}, Databases: []string{"anna"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"/home/anna", "/srv/anna"}; !slices.Equal(first.Paths, want) || first.Sites[0] != "www.anna.example" {
			t.Errorf("paths = %v, sites = %v; want %v", first.Paths, first.Sites, want)
		}
		if _, err := f.CreateTenancy(f.ctx, f.all, customers.NewTenancy{Server: alone.ID, Customer: anna.ID, Dedicated: true, Paths: []string{"/"}}); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name string
			in   customers.NewTenancy
			want controlplane.Code
		}{
			{"the same path", customers.NewTenancy{Server: shared.ID, Customer: bert.ID, Paths: []string{"/home/anna"}}, controlplane.CodeInvalid},
			{"below", customers.NewTenancy{Server: shared.ID, Customer: bert.ID, Paths: []string{"/home/anna/www"}}, controlplane.CodeInvalid},
			{"above", customers.NewTenancy{Server: shared.ID, Customer: bert.ID, Paths: []string{"/home"}}, controlplane.CodeInvalid},
			{"the same site", customers.NewTenancy{Server: shared.ID, Customer: bert.ID, Paths: []string{"/home/bert"}, Sites: []string{"www.anna.example"}}, controlplane.CodeInvalid},
			{"the same database", customers.NewTenancy{Server: shared.ID, Customer: bert.ID, Paths: []string{"/home/bert"}, Databases: []string{"anna"}}, controlplane.CodeInvalid},
			{"alone where others live", customers.NewTenancy{Server: shared.ID, Customer: bert.ID, Dedicated: true, Paths: []string{"/home/bert"}}, controlplane.CodeConflict},
			{"where somebody is alone", customers.NewTenancy{Server: alone.ID, Customer: bert.ID, Paths: []string{"/home/bert"}}, controlplane.CodeConflict},
			{"unknown server", customers.NewTenancy{Server: "srv_none", Customer: bert.ID, Paths: []string{"/home/bert"}}, controlplane.CodeNotFound},
			{"unknown customer", customers.NewTenancy{Server: shared.ID, Customer: "cus_none", Paths: []string{"/home/bert"}}, controlplane.CodeNotFound},
			{"a name that begins alike", customers.NewTenancy{Server: shared.ID, Customer: bert.ID, Paths: []string{"/home/anna2"}}, ""},
			{"one's own again", customers.NewTenancy{Server: shared.ID, Customer: anna.ID, Paths: []string{"/home/anna/www"}}, ""},
			{"another server", customers.NewTenancy{Server: empty.ID, Customer: bert.ID, Paths: []string{"/home/anna"}}, ""},
		} {
			t.Run(tt.name, func(t *testing.T) {
				_, err := f.CreateTenancy(f.ctx, f.all, tt.in)
				wantCode(t, err, tt.want)
				if err != nil && (strings.Contains(err.Error(), "Anna") || strings.Contains(err.Error(), anna.ID)) {
					t.Errorf("error names the other customer: %v", err)
				}
			})
		}

		paths := []string{"/home/anna2/x"}
		_, err = f.UpdateTenancy(f.ctx, f.all, first.ID, customers.TenancyChange{Paths: &paths})
		wantCode(t, err, controlplane.CodeInvalid)
		paths = []string{"/home/anna", "/var/www/anna"}
		got, err := f.UpdateTenancy(f.ctx, f.all, first.ID, customers.TenancyChange{Paths: &paths, Version: 1})
		if err != nil || !slices.Equal(got.Paths, paths) || got.Version != 2 || len(got.Sites) != 1 {
			t.Errorf("updated = %+v, %v", got, err)
		}
		if !got.Covers("/home/anna/a") || got.Covers("/home/anna2") || got.Covers("/srv/anna") {
			t.Error("Covers does not follow the paths")
		}
		all, err := f.Tenancies(f.ctx, f.all, customers.TenancyFilter{Server: shared.ID})
		if err != nil || len(all) != 3 {
			t.Errorf("tenancies = %d, %v; want 3", len(all), err)
		}
		if some, err := f.Tenancies(f.ctx, f.all, customers.TenancyFilter{Servers: []string{alone.ID, empty.ID}}); err != nil || len(some) != 2 {
			t.Errorf("tenancies on two servers = %d, %v; want 2", len(some), err)
		}
		short, err := f.Tenancies(f.ctx, f.all, customers.TenancyFilter{Server: shared.ID, Short: true})
		if err != nil || len(short) != len(all) || short[0].ID != all[0].ID || short[0].Customer != all[0].Customer || short[0].Server != shared.ID {
			t.Errorf("in short = %+v, %v; want those of %+v", short, err, all)
		}
		if counts, err := f.ServerCounts(f.ctx, f.all); err != nil || counts[anna.ID] != 2 || counts[bert.ID] != 2 {
			t.Errorf("servers of each = %v, %v; want 2 and 2", counts, err)
		}
		if _, err := f.EndTenancy(f.ctx, f.all, first.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := f.EndTenancy(f.ctx, f.all, first.ID); err != nil {
			t.Errorf("ending again: %v", err)
		}
		_, err = f.UpdateTenancy(f.ctx, f.all, first.ID, customers.TenancyChange{})
		wantCode(t, err, controlplane.CodeConflict)
		ended, err := f.Tenancies(f.ctx, f.all, customers.TenancyFilter{Server: shared.ID, Customer: anna.ID, Ended: true})
		if err != nil || len(ended) != 2 {
			t.Errorf("with the ended ones = %d, %v; want 2", len(ended), err)
		}
	})
}
