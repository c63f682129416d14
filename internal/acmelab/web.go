package acmelab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Site is what a web server serves at one name.
type Site struct {
	Name  string   `json:"name"`  // the file of its configuration
	Names []string `json:"names"` // server names
	// Cert and Key are files; they need not be there before the server is next
	// tested or reloaded.
	Cert string `json:"cert"`
	Key  string `json:"key"`
	Text string `json:"text"` // what it answers
}

// Web is a web server's folder: its configuration and one file for each site.
type Web struct {
	Dir    string
	Listen []string // addresses for TLS
	// Nginx is the nginx program, "" for the small server of our own (ServeWeb),
	// which Self runs.
	Nginx string
	// Self are the program and arguments before "--dir", where Nginx is "".
	Self []string
}

// FindNginx is the path of nginx where packages install it, "" where there is none.
func FindNginx() string {
	for _, path := range []string{"/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"} {
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// webConfig is what our own server reads.
type webConfig struct {
	Listen []string `json:"listen"`
}

// Make writes the folder. The server has no site yet: for every name it shows a
// certificate of its own that nobody trusts.
func (w *Web) Make() error {
	if err := os.MkdirAll(filepath.Join(w.Dir, "sites"), 0o755); err != nil {
		return fmt.Errorf("acmelab: web: %w", err)
	}
	if _, err := SelfSigned(filepath.Join(w.Dir, "default.pem"), filepath.Join(w.Dir, "default-key.pem"), time.Now(), "default.invalid"); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "daemon off;\nworker_processes 1;\npid %[1]s/web.pid;\nerror_log %[1]s/error.log;\nevents { worker_connections 256; }\nhttp {\n  access_log off;\n", w.Dir)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "  %s_temp_path %s/tmp;\n", kind, w.Dir)
	}
	fmt.Fprint(&b, "  server {\n    server_name default.invalid;\n")
	for _, l := range w.Listen {
		fmt.Fprintf(&b, "    listen %s ssl default_server;\n", l)
	}
	fmt.Fprintf(&b, "    ssl_certificate %[1]s/default.pem;\n    ssl_certificate_key %[1]s/default-key.pem;\n    return 404;\n  }\n  include %[1]s/sites/*.conf;\n}\n", w.Dir)
	raw, err := json.Marshal(webConfig{Listen: w.Listen})
	return errors.Join(err, os.WriteFile(w.file("nginx.conf"), []byte(b.String()), 0o644), os.WriteFile(w.file("web.json"), raw, 0o644))
}

func (w *Web) file(name string) string { return filepath.Join(w.Dir, name) }

// Put writes the configuration of a site. The server takes it up when it is
// reloaded.
func (w *Web) Put(s Site) error {
	var b strings.Builder
	fmt.Fprintf(&b, "server {\n  server_name %s;\n", strings.Join(s.Names, " "))
	for _, l := range w.Listen {
		fmt.Fprintf(&b, "  listen %s ssl;\n", l)
	}
	fmt.Fprintf(&b, "  ssl_certificate %s;\n  ssl_certificate_key %s;\n  default_type text/plain;\n  return 200 %q;\n}\n", s.Cert, s.Key, s.Text)
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("acmelab: web: %w", err)
	}
	return errors.Join(os.WriteFile(w.file("sites/"+s.Name+".conf"), []byte(b.String()), 0o644), os.WriteFile(w.file("sites/"+s.Name+".json"), raw, 0o644))
}

// Break makes the configuration one that the server refuses, or mends it.
func (w *Web) Break(broken bool) error {
	for _, name := range []string{"sites/zz-broken.conf", "sites/zz-broken.json"} {
		var err error
		if broken {
			err = os.WriteFile(w.file(name), []byte("this is no configuration\n"), 0o644)
		} else if err = os.Remove(w.file(name)); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		if err != nil {
			return fmt.Errorf("acmelab: web: %w", err)
		}
	}
	return nil
}

// Run is the command that runs the server in the foreground.
func (w *Web) Run() []string { return w.command(nil, "") }

// Test is the command that tests the server's configuration.
func (w *Web) Test() []string { return w.command([]string{"-t", "-q"}, "--test") }

// Reload is the command that has the running server take its configuration up.
func (w *Web) Reload() []string { return w.command([]string{"-s", "reload"}, "--reload") }

func (w *Web) command(nginx []string, self string) []string {
	if w.Nginx != "" {
		return append([]string{w.Nginx, "-p", w.Dir, "-c", w.file("nginx.conf"), "-e", w.file("error.log")}, nginx...)
	}
	args := append(append([]string{}, w.Self...), "--dir", w.Dir)
	if self != "" {
		args = append(args, self)
	}
	return args
}

// Running reports whether the server has written its process id.
func (w *Web) Running() bool {
	raw, err := os.ReadFile(w.file("web.pid"))
	return err == nil && len(bytes.TrimSpace(raw)) > 0
}
