package main

import (
	"fmt"
	"log/slog"
	"net"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"ostler/agents/host"
	"ostler/agents/wire"
	"ostler/certs/deploy"
	"ostler/controlplane"
)

// envPrefix stands before a key in the environment: OSTLER_AGENT__STATE.
const envPrefix = "OSTLER_AGENT__"

// config is everything that can be set: in the file, then the environment,
// then flags (state_dir is --state-dir). It has no secrets.
type config struct {
	// State is the state folder: identity, journal, spool, passwords.
	State string `koanf:"state"`
	// Root stands before every path of a plan; "/" but for demo and tests.
	Root string `koanf:"root"`
	// PolicyDir has the host's own policy; "" means etc/ostler/policy.d beneath
	// root. policy.d in the state folder is read too.
	PolicyDir string `koanf:"policy_dir"`
	// Restic is restic's path, 0.19 or newer.
	Restic string `koanf:"restic"`
	// BootIDFile, MachineIDFile and Hostname are fixtures for demo and tests.
	BootIDFile    string `koanf:"boot_id_file"`
	MachineIDFile string `koanf:"machine_id_file"`
	Hostname      string `koanf:"hostname"`
	LogLevel      string `koanf:"log_level"` // debug, info, warn, error
	// Parallel is how many jobs run at once.
	Parallel int `koanf:"parallel"`
	// StoreIdle breaks off a silent connection to the store; StoreStall gives up
	// a job whose store has failed for so long.
	StoreIdle  time.Duration `koanf:"store_idle"`
	StoreStall time.Duration `koanf:"store_stall"`
	// StagingQuota bounds all staged downloads together, DiskReserve is what
	// stays free on a disk that is restored to; both in bytes, 0 is the default.
	StagingQuota int64 `koanf:"staging_quota"`
	DiskReserve  int64 `koanf:"disk_reserve"`
	// Certificates is the folder of certificates, absolute beneath root.
	Certificates string `koanf:"certificates"`
	// CertSettle is how long after a reload a service may still show the
	// certificate before.
	CertSettle time.Duration  `koanf:"cert_settle"`
	ACME       acmeConfig     `koanf:"acme"`
	Services   servicesConfig `koanf:"services"`
}

// acmeConfig is how challenges of certificate authorities are answered.
type acmeConfig struct {
	// Listen is the responder's address: ":80" where nothing else has that port,
	// or 127.0.0.1:8402 behind a web server (ostler-agent acme-snippet); "" is off.
	Listen string `koanf:"listen"`
}

// servicesConfig are this host's own commands for the services that serve
// certificates. They are programs with arguments, never lines for a shell.
type servicesConfig struct {
	Nginx   commandsConfig `koanf:"nginx"`
	Apache  commandsConfig `koanf:"apache"`
	HAProxy commandsConfig `koanf:"haproxy"`
	Postfix commandsConfig `koanf:"postfix"`
	Dovecot commandsConfig `koanf:"dovecot"`
	Caddy   commandsConfig `koanf:"caddy"`
}

// commandsConfig is how a service's configuration is tested, and how it takes
// up a new certificate; what is not given is as its package ships it.
type commandsConfig struct {
	Test   []string `koanf:"test"`
	Reload []string `koanf:"reload"`
}

// commands are the services that the file says something of.
func (s servicesConfig) commands() map[wire.Service]deploy.Commands {
	m := map[wire.Service]deploy.Commands{}
	for service, c := range map[wire.Service]commandsConfig{
		wire.ServiceNginx: s.Nginx, wire.ServiceApache: s.Apache, wire.ServiceHAProxy: s.HAProxy,
		wire.ServicePostfix: s.Postfix, wire.ServiceDovecot: s.Dovecot, wire.ServiceCaddy: s.Caddy,
	} {
		if len(c.Test)+len(c.Reload) > 0 {
			m[service] = deploy.Commands(c)
		}
	}
	return m
}

// defaultConfig is the file that is read where --config is not given, if it is there.
const defaultConfig = "/etc/ostler/agent.yaml"

func defaults() config {
	return config{State: "/var/lib/ostler-agent", Root: "/", Restic: "/usr/lib/ostler/restic", LogLevel: "info", Parallel: 4,
		StoreIdle: time.Minute, StoreStall: 2 * time.Minute, Certificates: deploy.DefaultFolder, CertSettle: 15 * time.Second}
}

// configFlags adds the flags that config can be set by.
func configFlags(f *pflag.FlagSet) {
	d := defaults()
	f.String("config", "", "configuration file (default "+defaultConfig+" if it is there)")
	f.String("state", d.State, "state folder")
	f.String("root", d.Root, "folder that stands before every path of a plan (demo and tests)")
	f.String("policy-dir", "", "folder of the host's own policy (default etc/ostler/policy.d beneath --root)")
	f.String("restic", d.Restic, "path of restic")
	f.String("boot-id-file", "", "file with a boot id in place of the kernel's (demo and tests)")
	f.String("machine-id-file", "", "file with a machine id in place of the machine's (demo and tests)")
	f.String("hostname", "", "host name in place of the machine's (demo and tests)")
	f.String("log-level", d.LogLevel, "debug, info, warn or error")
	f.Int("parallel", d.Parallel, "how many jobs run at once")
	f.Duration("store-idle", d.StoreIdle, "break off a silent connection to the store after this time")
	f.Duration("store-stall", d.StoreStall, "give up a job whose store has failed for this time")
	f.Int64("staging-quota", 0, "bytes that staged downloads may have together (0: 20 GiB)")
	f.String("certificates", d.Certificates, "folder of certificates, beneath --root")
	f.Int64("disk-reserve", 0, "bytes that stay free on a disk that is restored to (0: 64 MiB)")
}

// loadConfig merges defaults, file, environment and flags. A key that nothing
// reads is an error: it is a setting that somebody believes in.
func loadConfig(flags *pflag.FlagSet, environ []string, exists func(string) bool) (config, error) {
	var c config
	k := koanf.New(".")
	if err := k.Load(structs.Provider(defaults(), "koanf"), nil); err != nil {
		return c, err
	}
	known := map[string]bool{}
	for _, key := range k.Keys() {
		known[key] = true
	}
	path, err := flags.GetString("config")
	if err != nil {
		return c, err
	}
	if path == "" && exists(defaultConfig) {
		path = defaultConfig
	}
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return c, badConfig("The configuration file cannot be read", err)
		}
	}
	err = k.Load(env.Provider(".", env.Opt{Prefix: envPrefix, EnvironFunc: func() []string { return environ }, TransformFunc: func(key, v string) (string, any) {
		return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(key, envPrefix)), "__", "."), v
	}}), nil)
	if err != nil {
		return c, err
	}
	err = k.Load(posflag.ProviderWithFlag(flags, ".", k, func(f *pflag.Flag) (string, any) {
		key := strings.ReplaceAll(f.Name, "-", "_")
		if !known[key] || !f.Changed {
			return "", nil
		}
		return key, posflag.FlagVal(flags, f)
	}), nil)
	if err != nil {
		return c, err
	}
	for _, key := range k.Keys() {
		if !known[key] {
			return c, badConfig(fmt.Sprintf("The configuration has a key that nothing reads: %s", key), nil)
		}
	}
	if err := k.Unmarshal("", &c); err != nil {
		return c, badConfig("The configuration cannot be used", err)
	}
	return c, c.check()
}

func badConfig(message string, err error) error {
	return controlplane.Errorf(controlplane.CodeInvalid, "Correct it, then check it with: ostler-agent check.", "%s", message).Because(err)
}

func (c *config) check() error {
	for name, p := range map[string]*string{"state": &c.State, "root": &c.Root, "restic": &c.Restic} {
		if *p == "" {
			return badConfig(name+" is empty", nil)
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = abs
	}
	if !path.IsAbs(c.Certificates) {
		return badConfig("certificates is not an absolute path", nil)
	}
	if c.ACME.Listen != "" {
		if _, _, err := net.SplitHostPort(c.ACME.Listen); err != nil {
			return badConfig("acme.listen is not an address and a port", err)
		}
	}
	if c.Parallel < 1 {
		return badConfig("parallel is less than 1", nil)
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return badConfig("log_level is not debug, info, warn or error", nil)
	}
	return nil
}

// policyDirs are the folders of the host's own policy.
func (c *config) policyDirs() []string {
	first := c.PolicyDir
	if first == "" {
		first = filepath.Join(c.Root, "etc/ostler/policy.d")
	}
	return []string{first, filepath.Join(c.State, "policy.d")}
}

func (c *config) factFiles() host.FactFiles {
	return host.FactFiles{Root: c.Root, BootIDFile: c.BootIDFile, MachineIDFile: c.MachineIDFile, Hostname: c.Hostname}
}
