package e2e_test

import (
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"ostler/e2e/world"
)

// names are what files may be called on a customer's server, and how the
// command line shows them.
var names = map[string]string{
	"two\nlines.txt":                   `two\nlines.txt`,
	"\u202egpj.exe":                    `\u202egpj.exe`,
	"<img src=x onerror=alert(1)>.txt": `<img src=x onerror=alert(1)>.txt`,
	`..\..\boot.ini`:                   `..\\..\\boot.ini`,
	"caf\xe9.txt":                      `caf\xe9.txt`,
	"-rf":                              `-rf`,
}

// Whatever a file is called, it is listed, downloaded and put back with equal
// bytes, and its name steers no terminal.
func TestFileNames(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	const dir = folder + "/odd"
	for name := range names {
		h.host.Put(dir+"/"+name, "in "+name)
	}
	snapshot := h.backUp().Snapshot
	out, errs, code := h.maple.CLI("snapshot", "ls", snapshot, dir)
	if code != 0 {
		t.Fatalf("ls: exit %d\n%s", code, errs)
	}
	plain(t, "ls", out)
	for _, shown := range names {
		if !strings.Contains(out, "  "+shown+"\n") {
			t.Errorf("ls does not show %s:\n%s", shown, out)
		}
	}
	var listed struct {
		Entries []struct {
			Name    string
			NameB64 []byte `json:"name_b64"`
		}
	}
	h.maple.JSON(&listed, "snapshot", "ls", snapshot, dir)
	if len(listed.Entries) != len(names) {
		t.Errorf("listed: got %d, want %d", len(listed.Entries), len(names))
	}
	var asked []struct{ name, download, back string }
	for _, e := range listed.Entries {
		name := e.Name
		if e.NameB64 != nil {
			name = string(e.NameB64)
		}
		if _, ok := names[name]; !ok {
			t.Errorf("listed: %q was never there", name)
			continue
		}
		asked = append(asked, struct{ name, download, back string }{name, h.ask("download", snapshot, dir+"/"+name), h.ask("put_back", snapshot, dir+"/"+name)})
	}
	for i, p := range asked {
		file := filepath.Join(t.TempDir(), fmt.Sprint(i))
		out, errs, code := h.maple.CLI("restore", "download", p.download, "-o", file)
		if got, want := read(t, file), "in "+p.name; code != 0 || got != want {
			t.Errorf("%q: exit %d, got %q, want %q\n%s", p.name, code, got, want, errs)
		}
		plain(t, "download", out+errs)
		var r struct {
			State, Target string
			TargetB64     []byte `json:"target_b64"`
			Failure       *world.Failure
		}
		world.Eventually(t, p.name+" is put back", backupLimit, func() bool {
			return h.maple.Get("/restores/"+p.back, &r) && r.State != "active"
		})
		if r.TargetB64 != nil {
			r.Target = string(r.TargetB64)
		}
		if r.State != "ready" {
			t.Errorf("%q: put back: %s %+v", p.name, r.State, r.Failure)
			continue
		}
		if got, want := read(t, filepath.Join(h.host.Root, r.Target)), "in "+p.name; got != want || path.Dir(r.Target) != dir {
			t.Errorf("%q: put back at %q: got %q, want %q", p.name, r.Target, got, want)
		}
		shown, _, _ := h.maple.CLI("restore", "show", p.back)
		plain(t, "restore show", shown)
	}
	log, _, _ := h.maple.CLI("ledger", "list", "--limit", "0", "--output", "json") // it has the paths
	plain(t, "ledger list", log)
}

// ask asks for one file by the API and does not wait.
func (h *house) ask(kind, snapshot, file string) (id string) {
	h.T.Helper()
	var r struct{ ID string }
	status, raw := h.maple.Do("POST", "/restores", map[string]any{"kind": kind, "snapshot": snapshot, "path_b64": []byte(file)})
	if status != 202 || json.Unmarshal(raw, &r) != nil {
		h.T.Fatalf("%q: status %d: %s", file, status, raw)
	}
	return r.ID
}

// plain fails the test where output could steer a terminal or be misread.
func plain(t *testing.T, what, out string) {
	t.Helper()
	for _, r := range out {
		if r != '\n' && !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			t.Errorf("%s prints %q:\n%q", what, r, out)
			return
		}
	}
}
