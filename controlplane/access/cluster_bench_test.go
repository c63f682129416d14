package access_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/teleport"
)

// BenchmarkLeaveCluster takes a person off 2,000 customers. That their role
// reaches nobody and their user is locked is to be handed to the cluster within
// 60 s in 99 of 100 cases.
func BenchmarkLeaveCluster(b *testing.B) {
	const lists, people = 2000, 3
	for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			clock := &dbtest.Clock{}
			p := enforcing(b, benchDB(b, engine, clock), clock)
			var customers []string
			for i := range lists {
				customers = append(customers, p.Customer(fmt.Sprintf("bench-%04d", i), fmt.Sprintf("Bench %d", i)).ID)
			}
			for b.Loop() {
				var took []time.Duration
				for i := range people {
					name := fmt.Sprintf("leaver-%d-%d", b.N, i)
					p.c.users[name] = teleport.User{Name: name}
					who := must[access.Person](b)(p.access.AddPerson(p.Ctx, p.all, access.NewPerson{Kind: access.KindContractor, Name: name, TeleportUsers: []string{name}}))
					var wants []access.Want
					for _, c := range customers {
						wants = append(wants, access.Want{Customer: c, Person: who.ID, Way: access.WayTeleport, Role: "operator", Ground: "grt_bench"})
					}
					p.settle(access.Part{Column: access.Listed, Source: "grant", Persons: []string{who.ID}}, wants...)
					p.tick()
					start := time.Now()
					must[int](b)(p.access.Leave(p.Ctx, p.all, who.ID, "a new employer"))
					p.tick()
					took = append(took, time.Since(start))
					for _, r := range p.c.roles {
						if r.Owner == who.ID && len(r.Allow.NodeLabels) > 0 {
							b.Fatalf("the role still reaches %d customers", len(r.Allow.NodeLabels["customer"]))
						}
					}
				}
				slices.Sort(took)
				b.ReportMetric(took[len(took)-1].Seconds(), "worst-s")
				b.ReportMetric(took[len(took)/2].Seconds(), "median-s")
			}
		})
	}
}
