package world

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Host is one server: a folder as its root, and an agent process.
type Host struct {
	W        *World
	Name, ID string
	Root     string // the host's “/”
	State    string
	Agent    *Proc
	// Bounded has the next Start run the agent without root's right to read
	// and write whatever the modes of files say.
	Bounded bool
	config  string
}

// AddHost makes a server, enrols its agent and starts it.
func (w *World) AddHost(name string, config ...string) *Host {
	w.T.Helper()
	h := w.NewHost(name, config...)
	if out, code := h.EnrolWith(h.EnrolToken()); code != 0 {
		w.T.Fatalf("enrol %s: exit %d\n%s", name, code, out)
	}
	h.Start()
	h.WaitConnected()
	return h
}

// NewHost makes a server and its folder; nothing is enrolled yet. config are
// more lines of the agent's configuration, which win.
func (w *World) NewHost(name string, config ...string) *Host {
	w.T.Helper()
	base := filepath.Join(w.Dir, "hosts", name)
	h := &Host{W: w, Name: name, Root: filepath.Join(base, "root"), State: filepath.Join(base, "state"), config: filepath.Join(base, "agent.yaml")}
	for _, dir := range []string{h.Root, filepath.Join(base, "policy.d")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			w.T.Fatal(err)
		}
	}
	id := fmt.Sprintf("%032x", len(w.Hosts)+1)
	for file, text := range map[string]string{
		"agent.yaml": agentConfig(append([]string{
			fmt.Sprintf("restic: %q", Tool(w.T, "restic")), fmt.Sprintf("policy_dir: %q", filepath.Join(base, "policy.d")),
			fmt.Sprintf("boot_id_file: %q", filepath.Join(base, "boot-id")), fmt.Sprintf("machine_id_file: %q", filepath.Join(base, "machine-id")),
			fmt.Sprintf("hostname: %q", name), "log_level: debug"}, config...)),
		"boot-id": "00000000-0000-4000-8000-" + id[20:] + "\n", "machine-id": id + "\n",
	} {
		if err := os.WriteFile(filepath.Join(base, file), []byte(text), 0o600); err != nil {
			w.T.Fatal(err)
		}
	}
	h.Put("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n")
	// Nobody gets in but by the console: what a test wants otherwise, it puts there.
	h.Put("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n")
	h.Put("etc/shadow", "root:!:20000:0:99999:7:::\nwww-data:*:20000:0:99999:7:::\n")
	h.Put("etc/group", "root:x:0:\nsudo:x:27:\n")
	h.Put("etc/sudoers", "root ALL=(ALL:ALL) ALL\n")
	h.Put("etc/ssh/sshd_config", "PermitRootLogin prohibit-password\nPasswordAuthentication no\n")
	var srv struct {
		ID string `json:"id"`
	}
	w.JSON(&srv, "server", "add", name, "--location", "Frankfurt", "--country", "DE")
	h.ID = srv.ID
	w.Hosts[name] = h
	return h
}

// agentConfig joins lines of YAML; of two with the same key the later one stays.
func agentConfig(lines []string) string {
	var b strings.Builder
	for i, l := range lines {
		key, _, _ := strings.Cut(l, ":")
		if !slices.ContainsFunc(lines[i+1:], func(later string) bool { return strings.HasPrefix(later, key+":") }) {
			b.WriteString(l + "\n")
		}
	}
	return b.String()
}

// EnrolToken has the plane make an enrolment token for the host.
func (h *Host) EnrolToken() string {
	h.W.T.Helper()
	var out struct {
		Token string `json:"token"`
	}
	h.W.JSON(&out, "server", "enrol", h.Name)
	return out.Token
}

// EnrolWith runs “ostler-agent enrol” with a token on its standard input.
func (h *Host) EnrolWith(token string) (output string, code int) {
	h.W.T.Helper()
	return h.agent(token+"\n", "enrol", "--plane", h.W.Enrol, "--token-file", "-")
}

func (h *Host) agent(in string, args ...string) (string, int) {
	h.W.T.Helper()
	cmd := command(filepath.Join(h.W.bin, "ostler-agent"), append(args, "--state", h.State, "--root", h.Root, "--config", h.config)...)
	cmd.Stdin = strings.NewReader(in)
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

// Start starts the agent.
func (h *Host) Start() {
	h.W.T.Helper()
	program, args := filepath.Join(h.W.bin, "ostler-agent"), []string{"run", "--state", h.State, "--root", h.Root, "--config", h.config}
	if h.Bounded && os.Geteuid() == 0 {
		args = append([]string{"--bounding-set=-dac_override,-dac_read_search", "--", program}, args...)
		program = "setpriv" // of util-linux; it becomes the agent, with the same process id
	}
	h.Agent = Start(h.W.root, "agent-"+h.Name, program, nil, args...)
}

// WaitConnected waits until the plane says that the agent is connected.
func (h *Host) WaitConnected() {
	h.W.T.Helper()
	Eventually(h.W.T, h.Name+" is connected", 30*time.Second, func() bool {
		var s struct {
			State string `json:"state"`
		}
		return h.W.Staff().Get("/servers/"+h.ID+"/agent", &s) && s.State == "connected"
	})
}

// Put writes a file beneath the host's root.
func (h *Host) Put(name, text string) {
	h.W.T.Helper()
	file := filepath.Join(h.Root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		h.W.T.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		h.W.T.Fatal(err)
	}
}
