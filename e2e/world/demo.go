package world

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Demo is a running “ostler demo”, as a newcomer starts it.
type Demo struct {
	URL       string            `json:"url"`
	Links     map[string]string `json:"links"`
	TokenFile string            `json:"token_file"`
	Folder    string            `json:"folder"`
	Servers   map[string]string `json:"servers"`
	LostFile  string            `json:"lost_file"`
	LostSum   string            `json:"lost_sha256"`
	Customer  string            `json:"customer"`
	Roots     string            `json:"roots"`
	// Certificates are those of all sites; the last one could not be issued.
	Certificates []struct{ ID, Name, URL, State, At, Note string }
	Proc         *Proc `json:"-"`
}

// StartDemo starts the demo and waits until it is ready.
func StartDemo(t testing.TB, args ...string) *Demo {
	t.Helper()
	bin := filepath.Join(Binaries(t), "ostler")
	d := &Demo{}
	d.Proc = Start(t, "demo", bin, nil, append([]string{"demo", "--listen", "127.0.0.1:0", "--json"}, args...)...)
	Eventually(t, "the demo is ready", 3*time.Minute, func() bool {
		if !d.Proc.Running() {
			t.Fatalf("the demo ended:\n%s", d.Proc.Log())
		}
		for line := range strings.Lines(d.Proc.Log()) {
			if strings.HasPrefix(line, "{") && strings.HasSuffix(line, "}\n") {
				return json.Unmarshal([]byte(line), d) == nil
			}
		}
		return false
	})
	return d
}
