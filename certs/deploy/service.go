package deploy

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"ostler/agents/wire"
)

// Commands are how a service is tested and reloaded: programs and their
// arguments, without a shell. An empty Test means that there is none.
type Commands struct {
	Test, Reload []string
}

// builtIn are the commands of a service as its package ships it.
type builtIn struct {
	test   [][]string // the first whose program is there
	reload [][]string // its own way, the same
	units  []string   // with systemd: the first that is active is reloaded
}

var builtIns = map[wire.Service]builtIn{
	wire.ServiceNginx: {test: [][]string{{"nginx", "-t", "-q"}}, reload: [][]string{{"nginx", "-s", "reload"}}, units: []string{"nginx.service"}},
	wire.ServiceApache: {test: [][]string{{"apache2ctl", "configtest"}, {"apachectl", "configtest"}, {"httpd", "-t"}},
		reload: [][]string{{"apache2ctl", "graceful"}, {"apachectl", "graceful"}, {"httpd", "-k", "graceful"}},
		units:  []string{"apache2.service", "httpd.service"}},
	wire.ServiceHAProxy: {test: [][]string{{"haproxy", "-c", "-q", "-f", "/etc/haproxy/haproxy.cfg"}}, units: []string{"haproxy.service"}},
	wire.ServicePostfix: {test: [][]string{{"postfix", "check"}}, reload: [][]string{{"postfix", "reload"}}},
	wire.ServiceDovecot: {test: [][]string{{"doveconf", "-n"}}, reload: [][]string{{"doveadm", "reload"}}, units: []string{"dovecot.service"}},
	wire.ServiceCaddy: {test: [][]string{{"caddy", "validate", "--config", "/etc/caddy/Caddyfile"}},
		reload: [][]string{{"caddy", "reload", "--config", "/etc/caddy/Caddyfile"}}, units: []string{"caddy.service"}},
}

// Bounds of a service's command.
const (
	maxSaid  = 2 << 10 // bytes of its last words
	killWait = 2 * time.Second
)

// command is a service with what is run for it.
type command struct {
	service wire.Service
	Commands
}

// commands settles how each service is tested and reloaded, before anything is
// changed. A service that is named twice counts once.
func (e *Engine) commands(ctx context.Context, services []wire.Service) ([]command, error) {
	var out []command
	seen := map[wire.Service]bool{}
	for _, s := range services {
		if !s.Valid() {
			return nil, fail(wire.CauseUnsupported, nil, "this agent does not know the service")
		}
		if seen[s] {
			continue
		}
		seen[s] = true
		c := e.o.Services[s]
		if e.o.Root == "/" {
			c = e.complete(ctx, s, c)
		}
		if len(c.Reload) == 0 {
			return nil, fail(wire.CauseNoService, nil, "no way to reload %s is known on this server", s)
		}
		for _, argv := range [][]string{c.Test, c.Reload} {
			if len(argv) > 0 && !runs(argv) {
				return nil, fail(wire.CauseNoService, nil, "the program %s for %s is not on this server", argv[0], s)
			}
		}
		out = append(out, command{s, c})
	}
	return out, nil
}

// complete fills in what the host's configuration leaves open.
func (e *Engine) complete(ctx context.Context, s wire.Service, c Commands) Commands {
	b := builtIns[s]
	if len(c.Test) == 0 {
		c.Test = first(b.test)
	}
	if len(c.Reload) > 0 {
		return c
	}
	if _, err := os.Stat(e.systemd); err == nil && runs([]string{"systemctl"}) {
		for _, unit := range b.units {
			if _, err := e.run(ctx, []string{"systemctl", "is-active", "--quiet", unit}); err == nil {
				c.Reload = []string{"systemctl", "reload", unit}
				return c
			}
		}
	}
	c.Reload = first(b.reload)
	return c
}

func first(candidates [][]string) []string {
	for _, argv := range candidates {
		if runs(argv) {
			return argv
		}
	}
	return nil
}

func runs(argv []string) bool {
	_, err := exec.LookPath(argv[0])
	return err == nil
}

// run runs one command and returns the last of what it said on its standard
// error, where services say what is wrong.
func (e *Engine) run(ctx context.Context, argv []string) (said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.o.Command)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC", "HOME=/"}
	last := &tail{}
	cmd.Stderr = last
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killWait // a daemon that keeps the pipe open
	err = cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if ctx.Err() != nil && err != nil {
		err = context.Cause(ctx)
	}
	return last.words(), err
}

// tail keeps the last bytes that were written.
type tail struct {
	mu  sync.Mutex
	b   []byte
	key bool // there was a private key in it, which may be cut off by now
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.key = t.key || bytes.Contains(t.b, []byte("PRIVATE KEY"))
	if over := len(t.b) - maxSaid; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

// encoded is a line as keys have it, which a parser may quote alone.
var encoded = regexp.MustCompile(`[A-Za-z0-9+/]{60,}={0,2}`)

// words is the tail as lines of text. Something that looks like a key is not
// passed on.
func (t *tail) words() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := encoded.ReplaceAllString(strings.ToValidUTF8(string(t.b), "?"), "(kept back)")
	if t.key {
		return "it said something with a private key in it, which is kept back"
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s))
}

// A batch is one run of a command for all who wait for it. It begins when no
// other command runs, and sees what each of them has written before.
type batch struct {
	others int
	done   chan struct{}
	said   string
	err    error
}

// together runs a command, one at a time over all services, and once for all who
// wait for the same one: where many certificates are installed at a time, a
// service is not reloaded for each. One that fails is run for each of the others
// alone, so that nobody's mistake becomes theirs.
func (e *Engine) together(ctx context.Context, argv []string) (said string, err error) {
	key := strings.Join(argv, "\x00")
	e.mu.Lock()
	b := e.batches[key]
	if b != nil {
		b.others++
		e.mu.Unlock()
		select {
		case <-b.done:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		if b.err == nil {
			return b.said, nil
		}
		e.reload.Lock()
		defer e.reload.Unlock()
		return e.run(ctx, argv)
	}
	b = &batch{done: make(chan struct{})}
	e.batches[key] = b
	e.mu.Unlock()
	defer close(b.done)
	e.reload.Lock()
	defer e.reload.Unlock()
	e.mu.Lock()
	delete(e.batches, key) // it begins now: who comes later waits for the next
	e.mu.Unlock()
	b.said, b.err = e.run(ctx, argv)
	return b.said, b.err
}

// test has every service check its configuration.
func (e *Engine) test(ctx context.Context, list []command, out []wire.CertReload) error {
	for i, c := range list {
		if len(c.Test) == 0 {
			continue
		}
		said, err := e.together(ctx, c.Test)
		out[i].Output = said
		if err != nil {
			return fail(wire.CauseServiceConfig, err, "%s does not accept its configuration%s", c.service, lastLine(said))
		}
		out[i].Tested = true
	}
	return nil
}

// load has every service take up what is there now. It goes on after one that
// cannot, and returns the first failure.
func (e *Engine) load(ctx context.Context, list []command, out []wire.CertReload) error {
	var failed error
	for i, c := range list {
		said, err := e.together(ctx, c.Reload)
		if said != "" {
			out[i].Output = said
		}
		out[i].Loaded = err == nil
		if err != nil && failed == nil {
			failed = fail(wire.CauseServiceReload, err, "%s could not be reloaded%s", c.service, lastLine(said))
		}
	}
	return failed
}

// lastLine is the last of what a program said, short, to stand after a sentence.
func lastLine(said string) string {
	if i := strings.LastIndexByte(said, '\n'); i >= 0 {
		said = said[i+1:]
	}
	if said == "" {
		return ""
	}
	if len(said) > 200 {
		said = strings.ToValidUTF8(said[:200], "")
	}
	return ": " + said
}
