package archtest_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"ostler/internal/archtest"
)

// TestHouse holds the real tree to the rules.
func TestHouse(t *testing.T) {
	found, stale, err := archtest.Check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range found {
		t.Error(b)
	}
	for _, s := range stale {
		t.Error(s)
	}
}

// TestCheck proves that the rules catch what they forbid.
func TestCheck(t *testing.T) {
	long := func(n int) string { return strings.Repeat("\n", n) }
	tests := []struct {
		name  string
		files map[string]string
		want  string // part of the one breach's message; "" for none
	}{
		{"empty tree", nil, ""},
		{"command imports all", tree("cmd/ostler/main.go", "main", "ostler/web", "ostler/backups", "ostler/controlplane/db"), ""},
		{"slice imports slice", tree("backups/run.go", "backups", "ostler/agents"), "backups/run.go:2: [layer] backups/run.go: imports ostler/agents (slice)"},
		{"slice imports the web", tree("backups/run.go", "backups", "ostler/web"), "imports ostler/web (edge)"},
		{"slice imports foundation", tree("backups/run.go", "backups", "ostler/controlplane/jobs", "ostler/controlplane/policy"), ""},
		{"slice imports its engine", tree("backups/run.go", "backups", "ostler/backups/restic"), ""},
		{"slice imports another's engine", tree("agents/run.go", "agents", "ostler/backups/restic"), "imports ostler/backups/restic (engine)"},
		{"slice's test imports slice", tree("backups/run_test.go", "backups_test", "ostler/agents"), ""},
		{"foundation imports slice", tree("controlplane/jobs/run.go", "jobs", "ostler/backups"), "imports ostler/backups (slice)"},
		{"db imports ledger", tree("controlplane/db/x.go", "db", "ostler/controlplane/ledger"), "(foundation)"},
		{"edge imports edge", tree("web/x.go", "web", "ostler/controlplane/server"), "(edge)"},
		{"engine imports db", tree("backups/restic/x.go", "restic", "ostler/controlplane/db"), "(db)"},
		{"engine has a library and its part", tree("controlplane/teleport/x.go", "teleport", "github.com/gravitational/teleport/api/types", "google.golang.org/grpc/codes"), ""},
		{"engine has two libraries", tree("backups/restic/x.go", "restic", "golang.org/x/sys/unix", "a.example/b/c/d", "a.example/b/e"), "[engine]"},
		{"nouns import a library", tree("controlplane/x.go", "controlplane", "github.com/google/uuid"), "standard library only"},
		{"wire imports nouns", tree("agents/wire/x.go", "wire", "ostler/controlplane"), "(nouns)"},
		{"unknown folder", tree("misc/x.go", "misc"), "belongs to no layer"},
		{"code imports a package for tests", tree("backups/x.go", "backups", "ostler/controlplane/db/dbtest"), "[tests only]"},
		{"package for tests imports another", tree("controlplane/db/dbtest/x.go", "dbtest", "ostler/internal/pgtest"), ""},

		{"echo in a slice", tree("backups/x.go", "backups", "github.com/labstack/echo/v4"), "echo lives only in"},
		{"echo in the wiring", tree("cmd/ostler/x.go", "main", "github.com/labstack/echo/v4"), "echo lives only in"},
		{"gorm in a store", tree("controlplane/findings/store_list.go", "findings", "gorm.io/gorm"), ""},
		{"gorm beside a store", tree("backups/plan.go", "backups", "gorm.io/gorm/clause"), "gorm lives only in"},
		{"os/exec in a slice", tree("backups/x.go", "backups", "os/exec"), "os/exec only in"},
		{"os/exec in hooks", tree("agents/host/hooks_linux.go", "host", "os/exec"), ""},
		{"os/exec in a test", tree("backups/x_test.go", "backups_test", "os/exec"), ""},
		{"other SQLite driver", tree("e2e/x_test.go", "e2e_test", "modernc.org/sqlite"), "register one name"},
		{"SQLite's constants", tree("controlplane/db/x.go", "db", "modernc.org/sqlite/lib"), ""},

		{"agent links gorm", merge(
			tree("cmd/ostler-agent/main.go", "main", "ostler/backups/restic"),
			tree("backups/restic/store.go", "restic", "gorm.io/gorm"), // and the library's own rule
		), "[link] cmd/ostler-agent: links gorm.io/gorm by way of cmd/ostler-agent → backups/restic"},
		{"package below the host links lego", merge(
			tree("agents/host/sub/x.go", "sub", "ostler/certs/acme"),
			tree("certs/acme/x.go", "acme", "github.com/go-acme/lego/v4/acme"),
		), "[link] agents/host"},

		{"package name twice", merge(tree("backups/restic/x.go", "restic"), tree("certs/deploy/x.go", "restic")), "occurs in backups/restic already"},
		{"time.Now in a rule", file("backups/x.go", "package backups\nimport clock \"time\"\nvar f = clock.Now\n"), "backups/x.go:3: [clock]"},
		{"time.Since in a rule", file("agents/x.go", "package agents\nimport \"time\"\nfunc f(t time.Time) any { return time.Since(t) }\n"), "time.Since"},
		{"time.Now in an engine", file("backups/restic/x.go", "package restic\nimport \"time\"\nvar f = time.Now\n"), ""},
		{"time.Now in a rule's test", file("backups/x_test.go", "package backups_test\nimport \"time\"\nvar f = time.Now\n"), ""},

		{"store without a scope", file("backups/store.go", "package backups\ntype Store struct{}\nfunc (s *Store) Plan(id string) {}\n"), "backups/store.go:3: [scope] backups.Store.Plan"},
		{"store with a scope", file("backups/store.go", "package backups\nimport \"ostler/controlplane/policy\"\ntype Store struct{}\nfunc (s *Store) Plan(sc policy.Scope, id string) {}\nfunc (s *Store) plan() {}\n"), ""},

		{"file of 401 lines", file("backups/x.go", "package backups\n"+long(400)), "[size] backups/x.go: has 401 lines"},
		{"function of 61 lines", file("backups/x.go", "package backups\nfunc (t T) f() {"+long(60)+"}\n"), "[size] backups/x.go T.f: has 61 lines"},
		{"function of 60 lines", file("backups/x.go", "package backups\nfunc f() {"+long(59)+"}\n"), ""},
		{"long test", file("backups/x_test.go", "package backups\nfunc f() {"+long(500)+"}\n"), ""},

		{"does not parse", file("backups/x.go", "package"), "[parse]"},
		{"nested module and testdata", merge(file("tools/go.mod", ""), file("tools/x.go", "package"), file("backups/testdata/x.go", "package")), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for name, text := range tt.files {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
			found, _, err := archtest.Check(fsys)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, b := range found {
				got.WriteString(b.String() + "\n")
			}
			if tt.want == "" && got.Len() > 0 || !strings.Contains(got.String(), tt.want) {
				t.Errorf("got:\n%swant: %q", &got, tt.want)
			}
		})
	}
}

func tree(name, pkg string, imports ...string) map[string]string {
	text := "package " + pkg + "\n"
	for _, i := range imports {
		text += "import _ \"" + i + "\"\n"
	}
	return file(name, text)
}

func file(name, text string) map[string]string { return map[string]string{name: text} }

func merge(all ...map[string]string) map[string]string {
	m := map[string]string{}
	for _, one := range all {
		for k, v := range one {
			m[k] = v
		}
	}
	return m
}
