//go:build slow

package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostler/e2e/world"
)

// A host's whole life by the roles, over a real sshd: looked at, enrolled,
// backed up, left alone, labelled, mistaken for another, and taken off again
// without a trace.
func TestSlowAnsible(t *testing.T) {
	t.Parallel()
	b := newBox(t, "birch-1")
	w := world.New(t, world.Options{})
	customers := w.AddCustomers("pear", "oak")
	w.AddStore("helsinki", "")
	var srv struct{ ID string }
	w.JSON(&srv, "server", "add", "birch-1", "--country", "DE")
	w.JSON(nil, "server", "add", "oak-1", "--country", "DE")
	w.JSON(nil, "tenancy", "add", "--customer", "oak", "--server", "oak-1", "--path", "/srv/oak")
	o := newOperator(t, w, w.Token)
	o.write("hosts.ini", b.address("birch-1")+b.address("oak-1"))
	a := &ansibleLife{w: w, o: o, b: b, pear: customers[0], host: &world.Host{W: w, Name: "birch-1", ID: srv.ID}, before: b.changes()}
	for _, step := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"checked before", a.checkedBefore}, {"mistaken", a.mistaken}, {"enrolled", a.enrolled}, {"again", a.again}, {"backed up", a.backedUp}, {"policy", a.policy}, {"by hand", a.byHand},
		{"verified", a.verified}, {"another's", a.anothers}, {"labelled", a.labelled}, {"removed", a.removed},
	} {
		w.Step(t, step.name, func(t *testing.T) { b.t, o.t = t, t; step.run(t) })
		if t.Failed() {
			t.Logf("the box's orders:\n%s", b.sh("cat /run/box/orders; cat /run/box/units/*.log | tail -20"))
			return
		}
	}
}

type ansibleLife struct {
	w      *world.World
	o      *operator
	b      *box
	pear   *world.Customer
	host   *world.Host
	before []string
	agent  string // as it enrolled
}

// run plays a playbook on one host, which has to end well, and returns how many changes it made.
func (a *ansibleLife) run(playbook string, args ...string) (out string, changed int) {
	a.o.t.Helper()
	out, hosts := a.o.play(nil, append([]string{"playbooks/" + playbook + ".yml", "--limit", "birch-1", "-e", "agent_customer=", "-e", "agent_connect_time=600", "-e", "ostler_ticket=OPS-7",
		"-e", "agent_restic=" + world.Tool(a.o.t, "restic"), "-e", "agent_binary=" + world.Binaries(a.o.t) + "/ostler-agent"}, args...)...)
	if r, ok := hosts["birch-1"]; !ok || r.Failed != 0 {
		a.o.t.Fatalf("%s: got %+v\n%s", playbook, hosts, out)
	}
	return out, hosts["birch-1"].Changed
}

func (a *ansibleLife) identity() (id struct{ Agent, Server string }) {
	a.o.t.Helper()
	if err := json.Unmarshal([]byte(a.b.sh("cat /var/lib/ostler-agent/identity.json")), &id); err != nil {
		a.o.t.Fatal(err)
	}
	return id
}

func (a *ansibleLife) checkedBefore(t *testing.T) {
	if out, changed := a.run("enrol", "--check", "--diff"); changed == 0 || !strings.Contains(out, "ExecStart=/usr/local/bin/ostler-agent run") {
		t.Errorf("--check --diff on a new host: %d changes\n%s", changed, out)
	}
	if diff := cmp.Diff(a.before, a.b.changes()); diff != "" {
		t.Errorf("--check changed the host: -before +after\n%s", diff)
	}
}

// mistaken: a wrong address leads to a host that is not enrolled yet. It is told
// by its name.
func (a *ansibleLife) mistaken(t *testing.T) {
	out, hosts := a.o.play(nil, "playbooks/enrol.yml", "--limit", "oak-1", "-e", "agent_restic="+world.Tool(t, "restic"), "-e", "agent_binary="+world.Binaries(t)+"/ostler-agent")
	if r := hosts["oak-1"]; r.Failed != 1 || r.Changed != 0 {
		t.Errorf("a wrong address: got %+v\n%s", r, out)
	}
	a.o.says("a wrong address", out, "The host at the address of oak-1 is not enrolled and calls itself birch-1, and not oak-1")
	if diff := cmp.Diff(a.before, a.b.changes()); diff != "" {
		t.Errorf("the host was changed: -before +after\n%s", diff)
	}
}

func (a *ansibleLife) enrolled(t *testing.T) {
	out, changed := a.run("enrol")
	if changed == 0 || strings.Contains(out, "ost_enrol_") {
		t.Errorf("enrolled: %d changes, and the token is in the output: %v\n%s", changed, strings.Contains(out, "ost_enrol_"), out)
	}
	a.host.WaitConnected()
	id := a.identity()
	if a.agent = id.Agent; id.Server != a.host.ID {
		t.Errorf("enrolled as %s, want %s", id.Server, a.host.ID)
	}
	world.Eventually(t, "it said what it is", time.Minute, func() bool {
		var inv struct{ Inventory struct{ OS string } }
		return a.w.Staff().Get("/servers/"+a.host.ID+"/inventory", &inv) && inv.Inventory.OS != ""
	})
	if got := windowsOf(t, a.w); len(got) != 1 || got[0].State != "closed" || got[0].What != "enrol.yml" {
		t.Errorf("windows: got %+v, want one, closed", got)
	}
	if out := a.b.sh("if command -v systemd-analyze >/dev/null; then systemd-analyze verify /etc/systemd/system/ostler-agent.service 2>&1 || true; fi"); strings.Contains(out, "ostler-agent") {
		t.Errorf("systemd does not take the unit: %s", out)
	}
}

// again: the second run changes nothing, with and without --check, and the host
// keeps the agent that it is.
func (a *ansibleLife) again(t *testing.T) {
	orders := a.b.sh("cat /run/box/orders")
	if out, changed := a.run("enrol"); changed != 0 {
		t.Errorf("the second run: %d changes\n%s", changed, out)
	}
	if out, changed := a.run("enrol", "--check", "--diff"); changed != 0 || strings.Contains(out, "+++") {
		t.Errorf("--check --diff: %d changes\n%s", changed, out)
	}
	if got := a.b.sh("cat /run/box/orders"); got != orders {
		t.Errorf("the service was touched:\n%s", strings.TrimPrefix(got, orders))
	}
	if got := a.identity().Agent; got != a.agent {
		t.Errorf("another agent: got %s, want %s", got, a.agent)
	}
}

func (a *ansibleLife) backedUp(t *testing.T) {
	a.b.sh("mkdir -p /srv/pear && echo Pears >/srv/pear/menu.txt")
	plan := a.w.AddPlan(a.pear, a.host, "nightly", "/srv/pear")
	if run := a.w.Staff().Over(plan.ID, 2*time.Minute); run.State != "complete" {
		t.Errorf("backup: got %+v, want complete", run)
	}
}

// policy: what a host allows is one file, which the agent is started again for.
func (a *ansibleLife) policy(t *testing.T) {
	if out, changed := a.run("enrol", "-e", `{"agent_config": {"log_level": "warn"}, "agent_policy": {"paths": ["/srv"]}}`); changed != 3 {
		t.Errorf("a policy and a setting: %d changes, want both files and the restart\n%s", changed, out)
	}
	if got := a.b.sh("/usr/local/bin/ostler-agent check && cat /etc/ostler/policy.d/50-ansible.yaml"); !strings.Contains(got, "- /srv") {
		t.Errorf("the policy: got %s", got)
	}
	a.host.WaitConnected()
	out, hosts := a.o.play(nil, "playbooks/enrol.yml", "--limit", "birch-1", "-e", `{"agent_config": {"log_levle": "warn"}}`,
		"-e", "agent_restic="+world.Tool(t, "restic"), "-e", "agent_binary="+world.Binaries(t)+"/ostler-agent")
	if hosts["birch-1"].Failed != 1 || strings.Contains(a.b.sh("cat /etc/ostler/agent.yaml"), "levle") {
		t.Errorf("a setting that is none: got %+v\n%s", hosts, out)
	}
	a.o.says("a setting that is none", out, "a key that nothing reads: log_levle")
}

// byHand: what is not asked for stays, and so does what somebody else wrote,
// until it is to be replaced; an empty policy takes our file away.
func (a *ansibleLife) byHand(t *testing.T) {
	files := func() string { return a.b.sh("cat /etc/ostler/agent.yaml /etc/ostler/policy.d/*.yaml") }
	before := files()
	if out, changed := a.run("enrol"); changed != 0 || files() != before {
		t.Errorf("without the variables: %d changes, and the files are\n%s\nwant\n%s\n%s", changed, files(), before, out)
	}
	a.b.sh("sed -i '1s/.*/# mine/' /etc/ostler/agent.yaml /etc/ostler/policy.d/50-ansible.yaml /etc/systemd/system/ostler-agent.service")
	before = files()
	out, changed := a.run("enrol")
	if changed != 0 || files() != before {
		t.Errorf("by hand: %d changes\n%s", changed, out)
	}
	for _, file := range []string{"/etc/ostler/agent.yaml", "/etc/ostler/policy.d/50-ansible.yaml", "/etc/systemd/system/ostler-agent.service"} {
		a.o.says("by hand", out, file+" was not written by this role and stays as it is.")
	}
	out, hosts := a.o.play(nil, "playbooks/remove.yml", "--limit", "birch-1", "-e", "agent_forget_keys=true")
	if r := hosts["birch-1"]; r.Failed != 1 || r.Changed != 0 {
		t.Errorf("remove what somebody installed: got %+v\n%s", r, out)
	}
	if out, changed := a.run("enrol", "-e", `{"agent_take_over": true, "agent_config": {}, "agent_policy": {"paths": ["/srv"]}}`); changed != 4 {
		t.Errorf("taken over: %d changes, want three files and the restart\n%s", changed, out)
	}
	if got := a.b.sh("cat /etc/ostler/agent.yaml; ls /etc/ostler /etc/ostler/policy.d"); strings.Contains(got, "log_level") || !strings.Contains(got, "agent.yaml.") || !strings.Contains(got, "50-ansible.yaml.") {
		t.Errorf("taken over: got %s, want ours, and copies of theirs", got)
	}
	a.b.sh("rm -f /etc/ostler/agent.yaml.* /etc/ostler/policy.d/*.yaml.* /etc/systemd/system/ostler-agent.service.*")
	if out, changed := a.run("enrol", "-e", `{"agent_policy": {}}`); changed != 2 || strings.Contains(a.b.sh("ls /etc/ostler/policy.d"), "50-ansible") {
		t.Errorf("no policy: %d changes, want that our file goes, and the restart\n%s", changed, out)
	}
	a.host.WaitConnected()
}

func (a *ansibleLife) verified(t *testing.T) {
	out, changed := a.run("verify")
	if changed != 0 {
		t.Errorf("verify: %d changes\n%s", changed, out)
	}
	a.o.says("verify", out, "enrolled: as "+a.host.ID, "Agent: connected")
}

// anothers: an address that leads to another customer's server is found out by
// who the host says it is.
func (a *ansibleLife) anothers(t *testing.T) {
	before := a.b.changes()
	for _, playbook := range []string{"enrol", "verify"} {
		out, hosts := a.o.play(nil, "playbooks/"+playbook+".yml", "--limit", "oak-1")
		if r := hosts["oak-1"]; r.Failed != 1 || r.Changed != 0 {
			t.Errorf("%s: got %+v\n%s", playbook, r, out)
		}
		a.o.says(playbook, out, fmt.Sprintf("This host is enrolled as birch-1 (%s), and not as oak-1: the address of oak-1 leads to another server, perhaps another customer's. Nothing was changed on it.", a.host.ID),
			"Next: correct ansible_host of oak-1")
	}
	out, hosts := a.o.play(nil, "playbooks/remove.yml", "--limit", "oak-1", "-e", "agent_forget_keys=true")
	if r := hosts["oak-1"]; r.Failed != 1 || r.Changed != 0 {
		t.Errorf("remove: got %+v\n%s", r, out)
	}
	a.o.says("remove", out, "This host is enrolled as "+a.host.ID+", and not as oak-1", "Nothing was removed.")
	if out, hosts := a.o.play(nil, "playbooks/remove.yml"); hosts["birch-1"].Changed+hosts["oak-1"].Changed != 0 || !strings.Contains(out, "run it again with --limit HOST") {
		t.Errorf("remove without a limit: got %+v\n%s", hosts, out)
	}
	steady := func(all []string) []string { // the agent works on meanwhile
		return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return strings.HasPrefix(s, "./var/lib/ostler-agent/") })
	}
	if diff := cmp.Diff(steady(before), steady(a.b.changes())); diff != "" {
		t.Errorf("the host was changed: -before +after\n%s", diff)
	}
	if got := a.identity().Agent; got != a.agent {
		t.Errorf("another agent: got %s, want %s", got, a.agent)
	}
}

func (a *ansibleLife) labelled(t *testing.T) {
	a.b.sh("printf '# by hand\\nversion: v3\\nteleport:\\n  nodename: birch-1\\nssh_service:\\n  enabled: true\\n  labels: {env: prod}\\n' >/etc/teleport.yaml; printf '[Service]\\nExecStart=/bin/sleep 3600\\n' >/etc/systemd/system/teleport.service; systemctl start teleport.service")
	if out, changed := a.run("teleport"); changed != 2 {
		t.Errorf("a label: %d changes, want the file and the reload\n%s", changed, out)
	}
	if got := a.b.sh("cat /etc/teleport.yaml; tail -1 /run/box/orders"); !strings.Contains(got, "customer: pear") || !strings.Contains(got, "env: prod") ||
		!strings.Contains(got, "nodename: birch-1") || !strings.Contains(got, "reload teleport.service") {
		t.Errorf("labelled: got\n%s", got)
	}
	if out, changed := a.run("teleport"); changed != 0 {
		t.Errorf("the second run: %d changes\n%s", changed, out)
	}
	a.w.JSON(nil, "tenancy", "add", "--customer", "oak", "--server", "birch-1", "--path", "/srv/oak")
	if out, changed := a.run("teleport"); changed != 2 {
		t.Errorf("a neighbour: %d changes\n%s", changed, out)
	}
	if got := a.b.sh("cat /etc/teleport.yaml"); !strings.Contains(got, "customer: shared:birch-1") {
		t.Errorf("a shared server: got\n%s", got)
	}
	a.b.sh("systemctl stop teleport.service; rm -rf /etc/teleport.yaml* /etc/systemd/system/teleport.service /srv/pear")
}

func (a *ansibleLife) removed(t *testing.T) {
	out, hosts := a.o.play(nil, "playbooks/remove.yml", "--limit", "birch-1")
	if r := hosts["birch-1"]; r.Failed != 1 || r.Changed != 0 {
		t.Errorf("with keys of backups: got %+v\n%s", r, out)
	}
	a.o.says("with keys of backups", out, "/var/lib/ostler-agent holds the passwords of this host's backups. Nothing was removed.", "-e agent_forget_keys=true")
	a.host.WaitConnected()
	if out, changed := a.run("remove", "-e", "agent_forget_keys=true"); changed == 0 {
		t.Errorf("remove: no changes\n%s", out)
	}
	if diff := cmp.Diff(a.before, a.b.changes()); diff != "" {
		t.Errorf("a trace is left: -before +after\n%s", diff)
	}
	if got := a.b.sh("ps -eo args | grep '[o]stler' || true"); got != "" {
		t.Errorf("still running: %s", got)
	}
	if out, changed := a.run("remove"); changed != 0 {
		t.Errorf("removed twice: %d changes\n%s", changed, out)
	}
}
