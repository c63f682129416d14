package archtest

// module is the path that every import of our own begins with.
const module = "ostler/"

// A layer is a set of folders that may import the same things. A folder ending
// in /... stands for itself and all below it; the longest match wins.
type layer struct {
	name string
	dirs []string
	may  []string // names of the layers it may import; "*" for all
	std  bool     // standard library only
}

// layers is who may import whom. Within one layer only what stands under the
// same entry of dirs may import each other, unless may names the layer itself.
var layers = []layer{
	{name: "nouns", dirs: []string{"controlplane"}, std: true},
	{name: "wire", dirs: []string{"agents/wire/..."}, std: true},
	{name: "rooted", dirs: []string{"agents/host/rooted/..."}, std: true}, // reads a host's files; engines on the host may too
	{name: "policy", dirs: []string{"controlplane/policy/..."}, may: []string{"nouns"}},
	{name: "bus", dirs: []string{"controlplane/bus/..."}, may: []string{"nouns"}},
	{name: "signer", dirs: []string{"controlplane/signer/..."}, may: []string{"nouns", "wire"}}, // a process of its own
	{name: "engine", dirs: []string{"backups/restic/...", "backups/catalogue/...", "certs/acme/...", "certs/deploy/...", "certs/preflight/...", "certs/limits/...", "certs/renewal/...", "controlplane/teleport/..."},
		may: []string{"nouns", "wire", "rooted"}}, // wire: the results that an engine on the host fills
	{name: "db", dirs: []string{"controlplane/db/..."}, may: []string{"nouns", "policy"}},
	{name: "foundation", dirs: []string{
		"controlplane/customers/...", "controlplane/identity/...", "controlplane/findings/...", "controlplane/ledger/...",
		"controlplane/jobs/...", "controlplane/mail/...", "controlplane/secrets/...",
	}, may: []string{"foundation", "db", "policy", "nouns", "bus", "wire"}},
	{name: "plane for tests", dirs: []string{"controlplane/planetest/..."}, may: []string{"foundation", "db", "policy", "nouns", "bus"}},
	{name: "slice", dirs: []string{
		"agents/...", "backups/...", "certs/...", "controlplane/access/...", "controlplane/sessions/...",
		"controlplane/incidents/...", "controlplane/requests/...", "controlplane/retention/...",
	}, may: []string{"foundation", "db", "policy", "nouns", "bus", "wire", "engine"}},
	{name: "host", dirs: []string{"agents/host/..."}, may: []string{"host", "engine", "wire", "nouns", "rooted"}},
	{name: "edge", dirs: []string{"web/...", "controlplane/server/..."},
		may: []string{"slice", "foundation", "db", "policy", "nouns", "bus", "wire"}},
	{name: "agent command", dirs: []string{"cmd/ostler-agent/..."}, may: []string{"host", "engine", "wire", "nouns"}},
	{name: "command", dirs: []string{"cmd/ostler/..."}, may: []string{"*"}},
	{name: "around", dirs: []string{"e2e/...", "internal/...", "tools/..."}, may: []string{"*"}},
}

// A library is an import path (itself and below; exact with only: true) and
// the files that may import it. None at all: nobody may.
type library struct {
	path  string
	exact bool
	files []string // globs, /... as above
	tests bool     // *_test.go files and packages whose name ends in "test" may too
	why   string
}

var libraries = []library{
	{path: "github.com/labstack/echo", files: []string{"web/...", "controlplane/server/..."}, tests: true,
		why: "echo lives only in web and controlplane/server"},
	{path: "github.com/danielgtaylor/huma", files: []string{"controlplane/server/..."}, tests: true,
		why: "huma lives only in controlplane/server"},
	{path: "gorm.io", files: []string{"controlplane/db/...", "controlplane/*/store*.go", "agents/store*.go", "backups/store*.go", "certs/store*.go"}, tests: true,
		why: "gorm lives only in controlplane/db and in a package's store*.go"},
	{path: "github.com/go-acme/lego", files: []string{"certs/acme/..."}, tests: true, why: "lego lives only in certs/acme"},
	{path: "github.com/gravitational/teleport", files: []string{"controlplane/teleport/..."}, why: "Teleport's api lives only in controlplane/teleport"},
	{path: "google.golang.org/grpc", files: []string{"controlplane/teleport/..."}, why: "gRPC is Teleport's connection, and nobody else's"},
	{path: "github.com/hashicorp/vault", files: []string{"controlplane/secrets/..."}, tests: true, why: "Vault's api lives only in controlplane/secrets"},
	{path: "github.com/wneessen/go-mail", files: []string{"controlplane/mail/..."}, why: "go-mail lives only in controlplane/mail"},
	{path: "github.com/emersion", files: []string{"controlplane/mail/mailtest/..."}, tests: true, why: "a mail server is for tests and for the demo only"},
	{path: "github.com/chromedp", files: []string{"e2e/..."}, tests: true, why: "chromedp is for tests only"},
	{path: "os/exec", tests: true, why: "os/exec only in engines and in the files listed in rules.go", files: []string{
		"backups/restic/...",            // runs restic
		"certs/deploy/...",              // reloads services
		"certs/acme/providers/exec.go",  // runs the programs for DNS that the plane's configuration lists
		"agents/host/hooks*.go",         // the host owner's own hooks
		"agents/host/helper*.go",        // starts the root helper that runs restic
		"agents/host/logins/journal.go", // asks journalctl who came in
		"cmd/ostler/demo*.go",           // starts the demo's agents and store
		"internal/pgtest/...",           // runs PostgreSQL
		"e2e/...",                       // runs the real binaries
	}},
	{path: "github.com/glebarez/sqlite", files: []string{"controlplane/db/...", "e2e/world/..."}, why: "SQLite is opened in controlplane/db only"},
	{path: "modernc.org/sqlite", exact: true, why: "two SQLite drivers register one name and panic: github.com/glebarez/sqlite only"},
	{path: "gorm.io/driver/sqlite", why: "it needs cgo: github.com/glebarez/sqlite only"},
	{path: "github.com/mattn/go-sqlite3", why: "it needs cgo: github.com/glebarez/sqlite only"},
	{path: "github.com/ncruces/go-sqlite3", why: "github.com/glebarez/sqlite only"},
}

// roots link none of the libraries in unlinked, directly or through our own packages.
var (
	roots    = []string{"cmd/ostler-agent", "agents/host"}
	unlinked = []string{"gorm.io", "github.com/labstack/echo", "github.com/go-acme/lego"}
)

// freeLibraries do not count where an engine may have one library.
var freeLibraries = []string{"golang.org/x/"}

// parts are libraries that another one hands out in its own api: Teleport's
// client is a connection of gRPC, and its errors are of trace.
var parts = map[string]string{
	"google.golang.org/grpc":         "github.com/gravitational/teleport",
	"github.com/gravitational/trace": "github.com/gravitational/teleport",
}

// clockless packages take the time from their caller; a folder that another
// entry of layers matches more closely (backups/restic, agents/host) is not meant.
var clockless = []string{
	"controlplane/policy", "controlplane/ledger", "controlplane/jobs", "controlplane/findings",
	"controlplane/identity", "controlplane/customers", "controlplane/access", "controlplane/sessions", "controlplane/incidents", "agents", "agents/wire", "backups", "certs",
}

// scoped packages hold customers' rows: each exported method of their stores
// takes a policy.Scope.
var scoped = []string{"controlplane/customers", "controlplane/findings", "controlplane/access", "controlplane/sessions", "controlplane/incidents", "agents", "backups", "certs"}

// Lengths that want a reason. Tests are not measured.
const (
	maxFileLines = 400
	maxFuncLines = 60
)

// An exception lets one subject off one rule. The subject is what the message
// names after the rule: a file, or file and function, or package and method.
type exception struct{ rule, subject, reason string }

// exceptions that no breach needs any more fail the test: delete them.
var exceptions = []exception{
	{"scope", "controlplane/customers.Store.CustomersOfServer", "returns the ids of a server's customers, for fan-out inside a transaction; reads nobody's rows"},
	{"engine", "certs/acme/providers/rfc2136.go", "imports miekg/dns beside lego: lego's provider of DNS UPDATE removes the values of other challenges"},
	{"tests only", "cmd/ostler/demo_access.go", "the demo's Teleport is the tests' own: its real interface, and no servers behind it"},
	{"tests only", "cmd/ostler/demo_vault.go", "the demo sets its Vault up as the tests do: a real core, in memory"},
	{"tests only", "cmd/ostler/demo_sessions.go", "sessions of the demo are played at the tests' own Teleport"},
	{"tests only", "cmd/ostler/demo_play.go", "the demo's mail server is the tests' own: real SMTP and TLS, and nobody's mailbox"},
	{"scope", "controlplane/customers.Store.OnTenancyMade", "registers what happens in a change's own transaction; reads nobody's rows"},
	{"scope", "controlplane/customers.Store.OnTenancyChanged", "registers what happens in a change's own transaction; reads nobody's rows"},
}
