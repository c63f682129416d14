package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/agents/wire"
)

// Many certificates at a time: a service is tested once for those who wait, and
// not reloaded for each. A test that fails is run for each of the others alone.
func TestCommandsAreShared(t *testing.T) {
	for _, failing := range []bool{false, true} {
		t.Run(fmt.Sprint(failing), func(t *testing.T) {
			const crowd = 6
			w := newWorld(t)
			w.opts.Command = time.Minute
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			script := func(name, body string) []string {
				w.must(os.WriteFile(at(name), []byte("#!/bin/sh\n"+body), 0o755))
				return []string{at(name)}
			}
			test := script("test", "echo x >> "+at("tests")+"\n[ ! -e "+at("fail")+" ] || { rm "+at("fail")+"; exit 1; }\n")
			reload := script("reload", "echo x >> "+at("reloads")+"\nwhile [ ! -e "+at("go")+" ]; do sleep 0.01; done\nsleep 0.1\n")
			w.set(test, reload)
			calls := func(name string) int {
				b, _ := os.ReadFile(at(name))
				return strings.Count(string(b), "x")
			}
			var all sync.WaitGroup
			out := make([]wire.CertDeployed, crowd)
			start := func(i int) {
				p := ask(1)
				p.Certificate, p.Folder = fmt.Sprintf("crt_%d", i), fmt.Sprintf("f%d", i)
				res, err := w.e.Request(t.Context(), p)
				w.must(err)
				d := wire.CertDeployParams{Certificate: p.Certificate, Folder: p.Folder, Round: 1, Chain: w.ca.issue(res.CSR), Services: []wire.Service{wire.ServiceNginx}}
				all.Go(func() {
					var err error
					if out[i], err = w.deploy(t.Context(), d); err != nil {
						t.Error(err)
					}
				})
			}
			until := func(what string, done func() bool) {
				t.Helper()
				for begun := time.Now(); !done(); time.Sleep(time.Millisecond) {
					if time.Since(begun) > 20*time.Second {
						t.Fatal(what)
					}
				}
			}
			start(0)
			until("the first one is not reloaded", func() bool { return calls("reloads") == 1 })
			for i := 1; i < crowd; i++ {
				start(i)
			}
			until("the others do not wait", func() bool { return w.e.Others(test) == crowd-2 })
			tests := 2
			if failing {
				w.must(os.WriteFile(at("fail"), nil, 0o600))
				tests = crowd
			}
			w.must(os.WriteFile(at("go"), nil, 0o600))
			all.Wait()
			failed := 0
			for _, d := range out {
				if d.Reached != wire.CertReloaded {
					failed++
				}
			}
			if want := map[bool]int{true: 1}[failing]; failed != want {
				t.Errorf("got %d that failed, want %d: %+v", failed, want, out)
			}
			if got := calls("tests"); got != tests {
				t.Errorf("got %d tests, want %d", got, tests)
			}
			if got := calls("reloads"); got >= crowd-failed {
				t.Errorf("got %d reloads for %d certificates", got, crowd-failed)
			}
		})
	}
}
