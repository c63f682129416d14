package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/e2e/world"
)

// operator is somebody with Ansible, a token, and the folder ansible/.
type operator struct {
	t     *testing.T
	token string // file
	dir   string // their home
	env   []string
	hosts string // an inventory of their own, with the addresses
}

// newOperator has the programs and the control plane of a world.
func newOperator(t *testing.T, w *world.World, token string) *operator {
	t.Helper()
	dir := t.TempDir()
	o := &operator{t: t, token: token, dir: dir, hosts: filepath.Join(dir, "hosts.ini")}
	o.env = []string{"PATH=" + world.Binaries(t) + ":" + os.Getenv("PATH"), "HOME=" + dir, "ANSIBLE_HOME=" + filepath.Join(dir, "ansible"), "LC_ALL=C.UTF-8",
		"ANSIBLE_CONFIG=" + filepath.Join(world.Root(), "ansible/ansible.cfg"), "ANSIBLE_NOCOLOR=1",
		"ANSIBLE_SSH_ARGS=-o ControlMaster=auto -o ControlPersist=60s", "OSTLER_URL=" + w.URL,
		"OSTLER_TOKEN=" + strings.TrimSpace(read(t, token)), "OSTLER_CACHE_DIR=" + filepath.Join(dir, "cache")}
	o.write("hosts.ini", "")
	return o
}

func (o *operator) write(name, text string) (file string) {
	o.t.Helper()
	file = filepath.Join(o.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		o.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
	return file
}

// run runs a program of Ansible in the folder ansible/, and returns what it
// wrote on both streams.
func (o *operator) run(more []string, program string, args ...string) (out string, code int) {
	o.t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		o.t.Fatalf("%s is not there: run “make deps-test”", program)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = filepath.Join(world.Root(), "ansible"), append(slices.Clone(o.env), more...)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		o.t.Fatal(err)
	}
	return b.String(), cmd.ProcessState.ExitCode()
}

// recap is Ansible's last line about one host.
type recap struct{ OK, Changed, Failed int }

var recapLine = regexp.MustCompile(`(?m)^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)`)

// play runs a playbook with the operator's addresses.
func (o *operator) play(more []string, args ...string) (out string, hosts map[string]recap) {
	o.t.Helper()
	out, _ = o.run(more, "ansible-playbook", append([]string{"-i", filepath.Join(world.Root(), "ansible/inventory"), "-i", o.hosts}, args...)...)
	hosts = map[string]recap{}
	for _, m := range recapLine.FindAllStringSubmatch(out, -1) {
		var r recap
		var unreachable int
		_, _ = fmt.Sscan(strings.Join(m[2:], " "), &r.OK, &r.Changed, &unreachable, &r.Failed)
		r.Failed += unreachable
		hosts[m[1]] = r
	}
	return out, hosts
}

// flat is a text with every run of blanks as one: messages are wrapped.
func flat(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, `\n`, " ")), " ")
}

func (o *operator) says(where, out string, parts ...string) {
	o.t.Helper()
	for _, p := range parts {
		if !strings.Contains(flat(out), p) {
			o.t.Errorf("%s: %q is not in:\n%s", where, p, out)
		}
	}
}

// What Ansible reads of the inventory, for staff and for one customer, with the
// control plane and without; the change windows of a playbook; and playbooks
// that stop before they touch a host.
func TestAnsible(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	customers := w.AddCustomers("pear", "green-oak")
	for _, s := range [][]string{{"birch-1", "Frankfurt 1, rack 4"}, {"shared-1", "{{ lookup('pipe', 'id') }}"}, {"spare-1", ""}} {
		w.JSON(nil, "server", "add", s[0], "--location", s[1], "--country", "DE")
	}
	w.JSON(nil, "tenancy", "add", "--customer", "pear", "--server", "birch-1", "--path", "/srv/pear", "--site", "pear.example")
	w.JSON(nil, "tenancy", "add", "--customer", "pear", "--server", "shared-1", "--path", "/srv/pear")
	w.JSON(nil, "tenancy", "add", "--customer", "green-oak", "--server", "shared-1", "--path", "/srv/oak")
	staff, owner := newOperator(t, w, w.Token), newOperator(t, w, customers[0].Token)
	w.Step(t, "inventory", func(t *testing.T) { ansibleInventory(t, w, staff, owner) })
	w.Step(t, "windows", func(t *testing.T) { ansibleWindows(t, w, staff) })
	w.Step(t, "refusals", func(t *testing.T) { ansibleRefusals(t, staff) })
	w.Step(t, "files of others", func(t *testing.T) { ansibleOthersFiles(t, staff) })
	w.Step(t, "labels", func(t *testing.T) { ansibleLabels(t, staff, owner) })
	w.Plane.Stop()
	w.Step(t, "down", func(t *testing.T) { ansibleDown(t, w, staff, owner) })
}

// inventory is what ansible-inventory --list prints: the same form as ours,
// after Ansible has read it.
type inventory struct {
	Meta struct {
		Hostvars map[string]map[string]any `json:"hostvars"`
	} `json:"_meta"`
	groups map[string][]string
}

func (o *operator) inventory() (inv inventory, note string) {
	o.t.Helper()
	out, code := o.run(nil, "ansible-inventory", "-i", filepath.Join(world.Root(), "ansible/inventory"), "--list")
	at := strings.Index(out, "{\n")
	if code != 0 || at < 0 {
		o.t.Fatalf("ansible-inventory: exit %d\n%s", code, out)
	}
	var groups map[string]json.RawMessage
	dec := json.NewDecoder(strings.NewReader(out[at:]))
	if err := dec.Decode(&groups); err != nil {
		o.t.Fatalf("%v\n%s", err, out)
	}
	if err := json.Unmarshal(groups["_meta"], &inv.Meta); err != nil {
		o.t.Fatal(err)
	}
	inv.groups = map[string][]string{}
	for name, raw := range groups {
		var g struct{ Hosts []string }
		if name != "_meta" && json.Unmarshal(raw, &g) == nil && len(g.Hosts) > 0 {
			inv.groups[name] = g.Hosts
		}
	}
	return inv, out[:at] + out[at+int(dec.InputOffset()):]
}

func ansibleInventory(t *testing.T, w *world.World, staff, owner *operator) {
	staff.t, owner.t = t, t
	inv, note := staff.inventory()
	want := map[string][]string{
		"customer_pear": {"birch-1", "shared-1"}, "customer_green_oak": {"shared-1"}, "ostler": {"birch-1", "shared-1", "spare-1"}, "region_de": {"birch-1", "shared-1", "spare-1"},
		"region_de_frankfurt_1": {"birch-1"}, "role_web": {"birch-1"}, "state_not_enrolled": {"birch-1", "shared-1", "spare-1"},
	}
	for g, hosts := range want {
		if !slices.Equal(inv.groups[g], hosts) {
			t.Errorf("group %s: got %v, want %v", g, inv.groups[g], hosts)
		}
	}
	if strings.TrimSpace(note) != "" {
		t.Errorf("it says: %s", note)
	}
	if got := inv.Meta.Hostvars["birch-1"]["ostler_customer_label"]; got != "pear" {
		t.Errorf("label: got %v", got)
	}
	// A location that somebody typed is shown, and not run.
	out, code := staff.run(nil, "ansible", "-i", filepath.Join(world.Root(), "ansible/inventory"), "-c", "local", "-m", "ansible.builtin.debug", "-a", "msg={{ ostler_location }}", "shared-1")
	if code != 0 || !strings.Contains(out, "lookup(") || strings.Contains(out, "uid=") {
		t.Errorf("a template in a location: exit %d\n%s", code, out)
	}
	theirs, _ := owner.inventory()
	for g := range theirs.groups {
		if strings.Contains(g, "oak") {
			t.Errorf("pear sees the group %s", g)
		}
	}
	if got := theirs.groups["ostler"]; !slices.Equal(got, []string{"birch-1", "shared-1"}) || len(theirs.Meta.Hostvars) != 2 {
		t.Errorf("pear sees %v", got)
	}
	if raw, err := json.Marshal(theirs); err != nil || strings.Contains(string(raw), "oak") {
		t.Errorf("pear reads of their neighbour: %s, %v", raw, err)
	}
}

const touch = `
- name: Touch
  hosts: birch-1:spare-1:stranger
  gather_facts: false
  connection: local
  tasks:
    - name: Do nothing
      ansible.builtin.command: "true"
    - name: Fail on one
      ansible.builtin.fail: {msg: broken}
      when: inventory_hostname == "spare-1"
`

type windowOf struct {
	ID, State, Ticket, Who, What string
	Server                       string `json:"server_name"`
}

func windowsOf(t *testing.T, w *world.World) []windowOf {
	t.Helper()
	var list struct{ Items []windowOf }
	w.JSON(&list, "window", "list")
	slices.SortFunc(list.Items, func(a, b windowOf) int { return strings.Compare(a.Server, b.Server) })
	return list.Items
}

func ansibleWindows(t *testing.T, w *world.World, o *operator) {
	o.t = t
	o.write("hosts.ini", "stranger\n")
	play := o.write("touch.yml", touch)
	out, hosts := o.play(nil, play, "--check", "-e", "ostler_ticket=OPS-1")
	if hosts["birch-1"].Failed != 0 || len(windowsOf(t, w)) != 0 {
		t.Errorf("a window for --check: %v\n%s", windowsOf(t, w), out)
	}
	out, hosts = o.play(nil, play)
	if hosts["birch-1"].Failed != 0 || len(windowsOf(t, w)) != 0 {
		t.Errorf("without a ticket: got %v and %v\n%s", hosts, windowsOf(t, w), out)
	}
	o.says("without a ticket", out, "no ticket was named", "Next: Say why servers are changed")
	out, hosts = o.play([]string{"OSTLER_WHO=ada on bastion-1"}, play, "-e", "ostler_ticket=OPS-7")
	if hosts["birch-1"].Failed != 0 || hosts["stranger"].Failed != 0 || hosts["spare-1"].Failed != 1 {
		t.Errorf("hosts: got %v\n%s", hosts, out)
	}
	o.says("with a ticket", out, "No change window was opened on stranger: There is no such server", "Change windows for OPS-7: 2 opened, 2 closed.")
	got := windowsOf(t, w)
	if len(got) != 2 {
		t.Fatalf("windows: got %+v, want two\n%s", got, out)
	}
	for i, server := range []string{"birch-1", "spare-1"} {
		if want := (windowOf{got[i].ID, "closed", "OPS-7", "ada on bastion-1", "touch.yml", server}); got[i] != want {
			t.Errorf("window: got %+v, want %+v", got[i], want)
		}
	}
	page := w.Ada().Page("/servers/birch-1")
	w.Says("the server's page", page, "Change windows", "OPS-7", "ada on bastion-1", "A change window was opened on birch-1.", "The change window on birch-1 was closed.")
	out, hosts = o.play([]string{"OSTLER_TOKEN=ost_staff_wrong"}, "-i", o.write("static.ini", "birch-1\nspare-1\n"), o.write("one.yml", strings.Replace(touch, ":stranger", "", 1)), "-e", "ostler_ticket=OPS-8")
	if hosts["birch-1"].Failed != 0 || len(windowsOf(t, w)) != 2 {
		t.Errorf("with a wrong token: got %v\n%s", hosts, out)
	}
	o.says("with a wrong token", out, "No change windows are opened", "The play goes on.")
}

// Nothing of these is done on a host: they stop at what the control plane says.
func ansibleRefusals(t *testing.T, o *operator) {
	o.t = t
	o.write("hosts.ini", "birch-1 ansible_connection=local agent_customer=green-oak\nspare-1 ansible_connection=local agent_customer=pear\n[ostler]\nstranger ansible_connection=local\n")
	out, hosts := o.play(nil, "playbooks/enrol.yml", "--limit", "birch-1:spare-1:stranger")
	for _, host := range []string{"birch-1", "spare-1", "stranger"} {
		if r := hosts[host]; r.Failed != 1 || r.Changed != 0 {
			t.Errorf("%s: got %+v\n%s", host, r, out)
		}
	}
	o.says("enrol", out, "The control plane shows no server stranger to this token, so nothing was changed on the host. Next: add it (ostler server add stranger",
		"birch-1 is not green-oak's: the control plane has pear on it. Nothing was changed on the host. Next: correct agent_customer",
		"spare-1 is not pear's: the control plane has nobody on it.")
}

// ansibleOthersFiles: a host that is not enrolled has to have the server's name,
// and files on it that the role did not write stay as they are.
func ansibleOthersFiles(t *testing.T, o *operator) {
	o.t = t
	o.write("hosts.ini", "birch-1 ansible_connection=local\n")
	etc, state := filepath.Join(o.dir, "etc"), filepath.Join(o.dir, "state")
	ours, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, more []string, parts ...string) {
		t.Helper()
		out, hosts := o.play(nil, append([]string{"playbooks/enrol.yml", "--limit", "birch-1", "-e", "agent_etc=" + etc, "-e", "agent_var=" + state, "-e", "agent_unit=" + filepath.Join(etc, "unit")}, more...)...)
		if r := hosts["birch-1"]; r.Failed != 1 || r.Changed != 0 {
			t.Errorf("%s: got %+v\n%s", name, r, out)
		}
		o.says(name, out, parts...)
	}
	refused("another name", nil, "The host at the address of birch-1 is not enrolled and calls itself "+ours+", and not birch-1", "Nothing was changed on it. Next: correct ansible_host of birch-1", "-e agent_hostname="+ours)
	refused("another name that was said", []string{"-e", "agent_hostname=oak-1"}, "calls itself "+ours+", and not oak-1")

	const byHand, policy = "# mine\nlog_level: debug\n", "paths: [/srv/mine]\n"
	o.write("etc/policy.d/50-ansible.yaml", policy)
	config := o.write("etc/agent.yaml", byHand)
	itself := []string{"-e", "agent_hostname=" + ours}
	refused("a configuration by hand", append(itself, "-e", `{"agent_config": {"log_level": "warn"}}`), config+" was not written by this role and stays as it is.", "-log_level: debug", "+log_level: warn",
		config+" on birch-1 was not written by this role, and agent_config asks for another one (the difference stands above). Nothing was changed on the host. Next: leave agent_config out", "-e agent_take_over=true")
	refused("a policy by hand", append(itself, "-e", `{"agent_policy": {}}`), "-paths: [/srv/mine]", "agent_policy asks for another one")
	o.write("etc/agent.yaml", "state: /srv/state\n")
	refused("its state elsewhere", itself, "The agent keeps its state in /srv/state", "run this again with agent_var set to /srv/state")
	o.write("etc/agent.yaml", byHand)
	o.write("state/identity.json", "{")
	refused("an identity that cannot be read", itself, "identity.json names no server")
	if got := read(t, config) + read(t, filepath.Join(etc, "policy.d/50-ansible.yaml")); got != byHand+policy {
		t.Errorf("files of others: got %q", got)
	}
	out, hosts := o.play(nil, "playbooks/remove.yml", "--limit", "birch-1", "-e", "agent_etc="+etc, "-e", "agent_var="+filepath.Join(o.dir, "none"), "-e", "agent_unit="+filepath.Join(etc, "unit"))
	if r := hosts["birch-1"]; r.Failed != 1 || r.Changed != 0 {
		t.Errorf("remove: got %+v\n%s", r, out)
	}
	o.says("remove", out, config, "was not written by this role, so somebody installed this agent by hand. Nothing was removed.")
}

// ansibleLabels: who does not see everybody on a server gives it no label.
func ansibleLabels(t *testing.T, staff, owner *operator) {
	for _, o := range []*operator{staff, owner} {
		o.t = t
		o.write("hosts.ini", "shared-1 ansible_connection=local\nspare-1 ansible_connection=local\n[ostler]\nspare-1\n")
	}
	file := staff.write("teleport.yaml", "ssh_service: {labels: {customer: 'shared:shared-1'}}\n")
	out, hosts := staff.play(nil, "playbooks/teleport.yml", "--limit", "shared-1", "-e", "teleport_node_config="+file)
	if r := hosts["shared-1"]; r.Failed+r.Changed != 0 {
		t.Errorf("a label that is right: got %+v\n%s", r, out)
	}
	for server, part := range map[string]string{"shared-1": "This token does not see all customers, so it cannot tell whether shared-1 is shared",
		"spare-1": "The control plane shows no server spare-1 to this token, so its label was left as it is."} {
		out, hosts = owner.play(nil, "playbooks/teleport.yml", "--limit", server, "-e", "teleport_node_config="+file)
		if r := hosts[server]; r.Failed != 1 || r.Changed != 0 {
			t.Errorf("a customer's token: got %+v\n%s", r, out)
		}
		owner.says("a customer's token", out, part, "Next: ")
	}
	out, hosts = staff.play(nil, "playbooks/teleport.yml", "--limit", "spare-1", "-e", "teleport_node_config="+file)
	if r := hosts["spare-1"]; r.Failed != 1 || r.Changed != 0 {
		t.Errorf("nobody lives there: got %+v\n%s", r, out)
	}
	staff.says("nobody lives there", out, "The control plane has nobody on spare-1, so its label was left as it is. Next: put a customer there")
}

// The control plane is down: the inventory is the last one and says so, a
// playbook that needs it stops early, and one that does not goes on.
func ansibleDown(t *testing.T, w *world.World, staff, owner *operator) {
	staff.t, owner.t = t, t
	inv, note := owner.inventory()
	if got := inv.groups["ostler"]; !slices.Equal(got, []string{"birch-1", "shared-1"}) {
		t.Errorf("pear's inventory: got %v", got)
	}
	owner.says("the kept inventory", note, "Nothing listens on "+strings.TrimPrefix(w.URL, "http://"), "This inventory is the one of", "old: servers may have come or gone since.")
	staff.write("hosts.ini", "birch-1 ansible_connection=local\n")
	out, hosts := staff.play(nil, "playbooks/enrol.yml", "--limit", "birch-1")
	if r := hosts["birch-1"]; r.Failed != 1 || r.Changed != 0 || r.OK > 3 {
		t.Errorf("enrol: got %+v\n%s", r, out)
	}
	staff.says("enrol", out, "The control plane could not be asked for birch-1, so nothing was changed on the host. Nothing listens on", "Next: Start it with ostler serve")
	staff.write("hosts.ini", "shared-1 ansible_connection=local\n")
	out, hosts = staff.play(nil, "playbooks/teleport.yml", "--limit", "shared-1", "-e", "teleport_node_config="+filepath.Join(staff.dir, "teleport.yaml"))
	if r := hosts["shared-1"]; r.Failed != 1 || r.Changed != 0 {
		t.Errorf("a label from what was kept: got %+v\n%s", r, out)
	}
	staff.says("a label from what was kept", out, "The control plane could not be asked who lives on shared-1, so its label was left as it is. Nothing listens on")
	play := staff.write("one.yml", strings.Replace(touch, "birch-1:spare-1:stranger", "birch-1", 1))
	out, hosts = staff.play(nil, play, "-e", "ostler_ticket=OPS-9")
	if hosts["birch-1"].Failed != 0 {
		t.Errorf("a play that does not need it: got %v\n%s", hosts, out)
	}
	staff.says("the callback", out, "No change windows are opened: the control plane does not answer", "The play goes on. Next: Check it with: ostler doctor.")
	// One that takes the connection and says nothing holds a run up once.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	static := staff.write("static.ini", "birch-1\nspare-1\n")
	out, code := staff.run([]string{"OSTLER_URL=http://" + silent.Addr().String(), "OSTLER_WINDOW_TIMEOUT=1"}, "ansible-playbook", "-i", static, play, "-e", "ostler_ticket=OPS-9")
	if code != 0 || strings.Count(flat(out), "No change windows are opened") != 1 {
		t.Errorf("a silent control plane: exit %d\n%s", code, out)
	}
}

// The folder ansible/ is clean by ansible-lint's profile for production, and
// nothing is fetched for it.
func TestAnsibleLint(t *testing.T) {
	t.Parallel()
	o := &operator{t: t, env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8", "NO_COLOR=1", "http_proxy=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9"}}
	out, code := o.run(nil, "ansible-lint", "--offline", "--nocolor", "-p")
	if code != 0 || !strings.Contains(out, "Passed with production profile: 0 failure(s), 0 warning(s)") {
		t.Errorf("ansible-lint: exit %d\n%s", code, out)
	}
}
