// Command vault-core is a real Vault for tests and for the demo: HashiCorp's
// own core and HTTP handler, in memory, with transit, KV and AppRole and nothing
// else. It keeps true that it is reached on loopback only and that its root
// token and unseal key stand in one file of mode 0600. What it holds is gone
// when it ends.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/helper/namespace"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

func main() {
	out := flag.String("out", "", "file that gets address, root token and unseal key as JSON, mode 0600")
	listen := flag.String("listen", "127.0.0.1:0", "loopback address to answer on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *out); err != nil {
		fmt.Fprintln(os.Stderr, "vault-core:", err)
		os.Exit(1)
	}
}

// ready is what the file says.
type ready struct {
	Addr      string `json:"addr"`
	RootToken string `json:"root_token"`
	UnsealKey string `json:"unseal_key"` // hex
	Version   string `json:"version"`
}

func run(ctx context.Context, listen, out string) error {
	if out == "" {
		return errors.New("-out is missing: name the file for address and root token")
	}
	if host, _, err := net.SplitHostPort(listen); err != nil || !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("%s is not an address on loopback", listen)
	}
	log := hclog.New(&hclog.LoggerOptions{Name: "vault-core", Level: hclog.Error, Output: os.Stderr})
	core, err := newCore(log)
	if err != nil {
		return err
	}
	defer func() { _ = core.Shutdown() }()
	r, err := open(core)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	props := &vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{Address: listen}}
	srv := &http.Server{Handler: vaulthttp.Handler.Handler(props), ReadHeaderTimeout: 10 * time.Second}
	r.Addr = "http://" + ln.Addr().String()
	if err := write(out, r); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func newCore(log hclog.Logger) (*vault.Core, error) {
	store, err := inmem.NewInmem(nil, log)
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical: store, StorageType: "inmem", Logger: log, DisableMlock: true, ClusterName: "ostler-tools",
		DefaultLeaseTTL: time.Hour, MaxLeaseTTL: 24 * time.Hour, BuiltinRegistry: registry{},
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory, "transit": transit.Factory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
	})
	if err != nil {
		return nil, fmt.Errorf("core: %w", err)
	}
	return core, nil
}

// open makes the core's keys, with one share, and unseals it.
func open(core *vault.Core) (ready, error) {
	ctx := namespace.ContextWithNamespace(context.Background(), namespace.RootNamespace)
	one := &vault.SealConfig{Type: "shamir", SecretShares: 1, SecretThreshold: 1}
	init, err := core.Initialize(ctx, &vault.InitParams{BarrierConfig: one})
	if err != nil {
		return ready{}, fmt.Errorf("initialize: %w", err)
	}
	key := append([]byte(nil), init.SecretShares[0]...) // Unseal zeroes what it gets
	r := ready{RootToken: init.RootToken, UnsealKey: hex.EncodeToString(key), Version: "1.21.1"}
	done, err := core.Unseal(key)
	if err != nil || !done {
		return r, fmt.Errorf("unseal: %v, %w", done, err)
	}
	return r, nil
}

// write puts the whole file there or nothing: whoever waits for it reads all of it.
func write(path string, r ready) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.WriteFile(temp, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// registry names the engines that are built in; no plugin is ever started.
type registry struct{}

var builtin = map[string]struct {
	sort consts.PluginType
	make logical.Factory
}{
	"kv":      {consts.PluginTypeSecrets, kv.Factory},
	"transit": {consts.PluginTypeSecrets, transit.Factory},
	"approle": {consts.PluginTypeCredential, approle.Factory},
}

func (registry) Contains(name string, sort consts.PluginType) bool {
	b, ok := builtin[strings.ToLower(name)]
	return ok && b.sort == sort
}

func (r registry) Get(name string, sort consts.PluginType) (func() (any, error), bool) {
	if !r.Contains(name, sort) {
		return nil, false
	}
	return func() (any, error) { return builtin[name].make, nil }, true
}

func (registry) Keys(sort consts.PluginType) (names []string) {
	for name, b := range builtin {
		if b.sort == sort {
			names = append(names, name)
		}
	}
	return names
}

func (r registry) DeprecationStatus(name string, sort consts.PluginType) (consts.DeprecationStatus, bool) {
	if r.Contains(name, sort) {
		return consts.Supported, true
	}
	return consts.Unknown, false
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
