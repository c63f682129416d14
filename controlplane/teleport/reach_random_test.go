package teleport_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// What Reaches says of nodes that are there is what a node decides, in each of
// many clusters made by chance: whoever gets in has a way with that login to
// that node, and no way is listed that nobody gets in by (unless Unsure).
func TestReachesAgreesWithNodes(t *testing.T) {
	logins := []string{"root", "deploy", "anna"}
	entered := 0
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		clk := newClock()
		c := fake(t, teleporttest.Options{Now: clk.now})
		users := scramble(t, c, rnd)
		clk.add(time.Minute) // what was locked shows by now
		cl := client(t, c)
		s, err := cl.Observe(reaching(t))
		must(t, err)
		ways := teleport.Reaches(s, "customer")
		for _, user := range users {
			for _, login := range logins {
				for _, n := range s.Nodes {
					_, err := c.Connect(user, login, n.ID)
					has := slices.ContainsFunc(ways, func(w teleport.Way) bool {
						return w.User == user && slices.Contains(w.Logins, login) && (slices.Contains(w.Nodes, n.ID) || w.Via == teleport.ViaExpression) && !around(w)
					})
					sure := slices.ContainsFunc(ways, func(w teleport.Way) bool {
						return w.User == user && !w.Unsure && slices.Contains(w.Logins, login) && slices.Contains(w.Nodes, n.ID) && !around(w)
					})
					if err == nil {
						entered++
					}
					if err == nil && !has {
						t.Errorf("seed %d: %s gets in as %s on %s %v, and Reaches does not say so", seed, user, login, n.ID, n.Labels)
					}
					if err != nil && sure {
						t.Errorf("seed %d: Reaches has %s as %s on %s %v, and the node says: %v", seed, user, login, n.ID, n.Labels, err)
					}
					if value := n.Labels["customer"]; err == nil && value != "" && !slices.ContainsFunc(ways, func(w teleport.Way) bool {
						return w.User == user && (w.Reaches(value) || w.Via == teleport.ViaExpression) && !around(w)
					}) {
						t.Errorf("seed %d: %s gets in on a node of %s, and no way reaches that value", seed, user, value)
					}
				}
			}
		}
	}
	if entered < 100 {
		t.Errorf("got in %d times, want more for the test to say anything", entered)
	}
}

func around(w teleport.Way) bool {
	return slices.Contains([]teleport.Via{teleport.ViaAdmin, teleport.ViaImpersonate, teleport.ViaRequest, teleport.ViaJoin}, w.Via)
}

// scramble fills a cluster by chance and returns its users.
func scramble(t *testing.T, c *teleporttest.Cluster, rnd *rand.Rand) []string {
	t.Helper()
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	some := func(list ...string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(string) bool { return rnd.IntN(2) == 0 })
	}
	for i := range 6 {
		l := map[string]string{}
		if rnd.IntN(4) > 0 {
			l["customer"] = pick("acme", "bolt", "corp", "")
		}
		if rnd.IntN(3) > 0 {
			l["env"] = pick("prod", "dev")
		}
		must(t, c.PutNode(fmt.Sprintf("n-%d", i), "h", l))
	}
	reach := func(rare bool) teleport.Reach {
		r := teleport.Reach{Logins: some("root", "deploy", "{{internal.logins}}")}
		if rare && rnd.IntN(3) > 0 {
			r.Logins = nil
		}
		if rare && rnd.IntN(2) == 0 {
			return r
		}
		switch rnd.IntN(8) {
		case 0:
			r.NodeLabels = labels{"*": {"*"}}
		case 1:
			r.NodeExpression = `labels["customer"] == "acme"`
		default:
			r.NodeLabels = labels{}
			if rnd.IntN(4) > 0 {
				r.NodeLabels["customer"] = some("acme", "bolt", "c*", "^(bolt|corp)$", "{{external.customers}}", "*")
			}
			if rnd.IntN(3) == 0 {
				r.NodeLabels["env"] = some("prod", "d*", "*")
			}
		}
		return r
	}
	var names []string
	for i := range 4 {
		r := teleport.Role{Name: fmt.Sprintf("r-%d", i), Allow: reach(false)}
		if rnd.IntN(3) == 0 {
			r.Deny = reach(true)
		}
		must(t, c.PutRole(r))
		names = append(names, r.Name)
	}
	var users []string
	for i := range 4 {
		user := fmt.Sprintf("u-%d", i)
		must(t, c.PutUser(user, some(names...)...))
		must(t, c.SetTraits(user, labels{"logins": some("anna", "root"), "customers": some("acme", "corp")}))
		users = append(users, user)
	}
	if rnd.IntN(4) == 0 {
		must(t, c.PutLock(teleport.Lock{Name: "l", User: pick("u-0", "", ""), Role: pick("r-0", "r-1"), Node: pick("n-0", "", "")}))
	}
	return users
}
