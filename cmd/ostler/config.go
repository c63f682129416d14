package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
)

// defaultConfigFile is read where it exists and no other is named.
const defaultConfigFile = "/etc/ostler/ostler.yaml"

// configHelp is the configuration file as people write it; a test reads it.
const configHelp = `The configuration file is YAML; every key has a default, an unknown one is an
error, and the environment can set each (OSTLER_PORTAL__URL):

` + configExample

const configExample = `  data_dir: /var/lib/ostler          # database, keyring, signer's key, downloads
  database:
    url: ""                          # "": SQLite in data_dir; or postgres://...
  portal:
    listen: 127.0.0.1:8443           # beyond loopback only with tls_cert and tls_key
    url: http://localhost:8443       # as people reach it: invitations carry it
    company: Ostler                  # your name, as customers read it
    tls_cert: ""
    tls_key: ""
    trusted_proxies: []              # addresses or networks whose X-Forwarded-For counts
  agents:
    listen: :8444
    enrol_listen: :8445
    names: [localhost]               # the first is what servers dial
    domain: ostler.internal          # stays as it is once a server is enrolled
  signer:
    socket: ""                       # "": signer.sock in data_dir
    key_dir: ""                      # "": signer in data_dir
    vault_role_id: ""                # once its key was moved to Vault: a role of its own
    vault_secret_id_file: ""
  vault:                             # a second home of keys; what is "" says Vault's own environment
    addr: ""                         # https://vault.example.com:8200; "": VAULT_ADDR
    namespace: ""                    # "": VAULT_NAMESPACE
    ca_file: ""                      # PEM; "": VAULT_CACERT, or the system's authorities
    role_id: ""                      # of AppRole; "": there is no Vault
    secret_id_file: ""               # a wrapping token around a secret id, or one; mode 0600
    transit: transit                 # mount of the transit engine
    kv: secret                       # mount of a KV engine, version 2
    approle: approle                 # mount of AppRole
    prefix: ostler                   # our names in both begin with it
  metrics:
    listen: 127.0.0.1:9464
  ledger:
    origin: ostler.internal/ledger   # the log's name: stays as it is
  log:
    level: info                      # debug, info, warn, error
    format: json                     # json, text
  mail:
    host: ""                         # your mail server; "": nothing is sent, and a finding says so
    port: 0                          # 0: 587, 465 or 25, as tls has it
    tls: starttls                    # starttls, implicit; loopback: none, for one on this machine
    ca_file: ""                      # PEM; "": the system's authorities
    without_tls: wait                # notice: a mail without content where it offers no TLS
    user: ""
    password_file: ""                # its first line
    from: ""                         # Your Company <noreply@example.com>
    reply_to: ""                     # "": the mails say that answers are not read
    bounces_to: ""                   # envelope sender; "": the address of from
    ehlo: ""                         # "": the host's name
    dkim:
      domain: ""                     # "": mails are not signed here
      selector: ""
      key_file: ""                   # PEM, RSA or Ed25519
  certs:                             # nothing is asked for before you add an authority
    directory: https://acme-v02.api.letsencrypt.org/directory # proposed to whoever adds it
    contact: ""                      # proposed too: an e-mail address, or none
    roots_file: ""                   # PEM, for an authority of your own
    plane_url: ""                    # where sites redirect challenges to; "": the portal's url
    resolver: ""                     # 192.0.2.53:53; "": the system's
    name_server: ""                  # stands in for every zone's own; "": those are asked
    http_port: 80                    # another one only for an authority of your own
    private: false                   # true: sites may be at private addresses
    concurrent: 8                    # orders at one authority at a time
    fallback_after_hours: 72         # of failure, until the fall-back authority is asked
    dns_program: ""                  # that a DNS provider of the kind exec may run
  teleport:
    addr: ""                         # host:port; of the auth service; "": no cluster is looked at
    cluster: ""                      # its name, where addr is a proxy with TLS routing
    identity_file: ""                # kept fresh by tbot; read anew when it changes
  access:                            # lists of who can reach servers
    mode: observe                    # until a person says otherwise: observe, shadow, enforce
    label_key: customer              # the label of Teleport's nodes that names the customer
    roles: []                        # name, title, logins, max_ttl; []: engineer and operator
    look_minutes: 5                  # between looks at the cluster
    scan_minutes: 60                 # between looks at each host
    gather_seconds: 120              # changes within them go out as one mail
    ticket_link: ""                  # https://tickets.example.com/{ticket}
    ticket_check: ""                 # asked by POST whether a ticket is good
    zone: UTC                        # where working days are counted
  sessions:                          # what our people do on servers
    every_seconds: 10                # between readings of the cluster's audit log
    overlap_minutes: 10              # how far back each goes; every hour one goes 26 h back
    grace_minutes: 15                # how long a recording may take after a session's end
    sample_percent: 5                # of the sessions without a cause, for review
    watch_percent: 20                # of a recording, before somebody says that it is fine
    months: 12                       # recordings are kept at most so long, where nothing else is agreed
    logins_minutes: 10               # between questions to each host of who logged in
  replica: ""                        # "": the host's name; PostgreSQL only
`

// Config is everything that can be set: a file first, then the environment
// (OSTLER_DATABASE__URL), then flags. An unknown key is an error.
type Config struct {
	// Replica names this process among several on one PostgreSQL database; it
	// must stay the same over restarts. "" is the machine's host name.
	Replica string `koanf:"replica"`
	// DataDir holds the embedded database, the keyring and downloads.
	DataDir  string         `koanf:"data_dir"`
	Database DatabaseConfig `koanf:"database"`
	Portal   PortalConfig   `koanf:"portal"`
	Agents   AgentsConfig   `koanf:"agents"`
	Signer   SignerConfig   `koanf:"signer"`
	Metrics  MetricsConfig  `koanf:"metrics"`
	Ledger   LedgerConfig   `koanf:"ledger"`
	Log      LogConfig      `koanf:"log"`
	Vault    VaultConfig    `koanf:"vault"`
	Mail     MailConfig     `koanf:"mail"`
	Certs    CertsConfig    `koanf:"certs"`
	Teleport TeleportConfig `koanf:"teleport"`
	Access   AccessConfig   `koanf:"access"`
	Sessions SessionsConfig `koanf:"sessions"`
}

// DatabaseConfig says where the truth is.
type DatabaseConfig struct {
	// URL is "sqlite:/path" or "postgres://..."; "" is ostler.db in DataDir.
	URL string `koanf:"url"`
}

// PortalConfig is the listener of the portal and the API.
type PortalConfig struct {
	Listen string `koanf:"listen"`
	// URL is how people reach it, without a trailing slash.
	URL string `koanf:"url"`
	// Company is the hosting company's name, as customers read it.
	Company string `koanf:"company"`
	// TLSCert and TLSKey are PEM files; without them it listens on loopback only.
	TLSCert string `koanf:"tls_cert"`
	TLSKey  string `koanf:"tls_key"`
	// TrustedProxies are addresses or networks in front of the portal, whose
	// X-Forwarded-For says where a request came from.
	TrustedProxies []string `koanf:"trusted_proxies"`
}

// AgentsConfig is the agents' two listeners.
type AgentsConfig struct {
	Listen      string `koanf:"listen"`
	EnrolListen string `koanf:"enrol_listen"`
	// Names are the host names and addresses in the listeners' certificates;
	// the first one is what agents are told to dial.
	Names []string `koanf:"names"`
	// Domain is the trust domain in agents' certificates.
	Domain string `koanf:"domain"`
}

// SignerConfig says where the signer listens and keeps its key.
type SignerConfig struct {
	Socket string `koanf:"socket"`
	KeyDir string `koanf:"key_dir"`
	// VaultRoleID and VaultSecretIDFile are the signer's own role, for a key that
	// was moved to Vault.
	VaultRoleID       string `koanf:"vault_role_id"`
	VaultSecretIDFile string `koanf:"vault_secret_id_file"`
}

// MetricsConfig is the listener of /metrics.
type MetricsConfig struct {
	Listen string `koanf:"listen"`
}

// LedgerConfig names the log.
type LedgerConfig struct {
	// Origin is the log's name without a generation: a domain of yours and a path.
	Origin string `koanf:"origin"`
}

// LogConfig is how the process logs.
type LogConfig struct {
	Level  string `koanf:"level"`  // debug, info, warn, error
	Format string `koanf:"format"` // json, text
}

func defaults() Config {
	return Config{
		DataDir: "/var/lib/ostler",
		Portal:  PortalConfig{Listen: "127.0.0.1:8443", URL: "http://localhost:8443", Company: "Ostler", TrustedProxies: []string{}},
		Agents:  AgentsConfig{Listen: ":8444", EnrolListen: ":8445", Names: []string{"localhost"}, Domain: "ostler.internal"},
		Metrics: MetricsConfig{Listen: "127.0.0.1:9464"},
		Ledger:  LedgerConfig{Origin: "ostler.internal/ledger"},
		Log:     LogConfig{Level: "info", Format: "json"},
		Vault:   defaultVault(),
		Mail:    MailConfig{TLS: "starttls", WithoutTLS: "wait"},
		Certs:   defaultCerts(),
		Access:  defaultAccess(), Sessions: defaultSessions(),
	}
}

// loadConfig reads the defaults, the file and the environment. path "" means
// defaultConfigFile, if it is there.
func loadConfig(path string) (Config, error) {
	c := defaults()
	k := koanf.New(".")
	if err := k.Load(structs.Provider(c, "koanf"), nil); err != nil {
		return c, fmt.Errorf("config: %w", err)
	}
	known := map[string]bool{}
	for _, key := range k.Keys() {
		known[key] = true
	}
	switch err := loadFile(k, path); {
	case err != nil:
		return c, err
	}
	err := k.Load(env.Provider(".", env.Opt{Prefix: "OSTLER_", TransformFunc: func(key, value string) (string, any) {
		name := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(key, "OSTLER_")), "__", ".")
		if clientEnv[name] {
			return "", nil
		}
		if name == "agents.names" {
			return name, strings.Split(value, ",")
		}
		return name, value
	}}), nil)
	if err != nil {
		return c, fmt.Errorf("config: environment: %w", err)
	}
	for _, key := range k.Keys() {
		if !known[key] {
			return c, fmt.Errorf("config: there is no setting %q: correct it in the configuration file or the environment", key)
		}
	}
	if err := k.Unmarshal("", &c); err != nil {
		return c, fmt.Errorf("config: %w", err)
	}
	return c.complete()
}

// clientEnv are the variables that belong to the command line, not to the plane.
var clientEnv = map[string]bool{"token": true, "url": true, "config": true, "server_url": true, "config_dir": true}

func loadFile(k *koanf.Koanf, path string) error {
	named := path != ""
	if !named {
		path = defaultConfigFile
	}
	err := k.Load(file.Provider(path), yaml.Parser())
	if !named && errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("config: %s: %w", path, err)
	}
	return nil
}

// complete fills what follows from the rest.
func (c Config) complete() (Config, error) {
	var err error
	if c.DataDir, err = filepath.Abs(c.DataDir); err != nil {
		return c, fmt.Errorf("config: data_dir: %w", err)
	}
	if c.Database.URL == "" {
		c.Database.URL = "sqlite:" + filepath.Join(c.DataDir, "ostler.db")
	}
	if c.Signer.Socket == "" {
		c.Signer.Socket = filepath.Join(c.DataDir, "signer.sock")
	}
	if c.Signer.KeyDir == "" {
		c.Signer.KeyDir = filepath.Join(c.DataDir, "signer")
	}
	if c.Replica == "" {
		if c.Replica, err = os.Hostname(); err != nil {
			return c, fmt.Errorf("config: replica: %w", err)
		}
	}
	if len(c.Agents.Names) == 0 {
		return c, fmt.Errorf("config: agents.names is empty: name the host that agents dial")
	}
	if _, err := c.Portal.proxies(); err != nil {
		return c, err
	}
	c.Portal.URL = strings.TrimSuffix(c.Portal.URL, "/")
	return c, nil
}
