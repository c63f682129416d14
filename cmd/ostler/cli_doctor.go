package main

import (
	"context"
	"crypto/tls"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// checkup is one thing is, and what to do where it is not well.
type checkup struct {
	Check  string `json:"check"`
	State  string `json:"state"` // ok, warn, bad, unknown
	Detail string `json:"detail"`
	Next   string `json:"next,omitempty"`
}

// The limits of the doctor.
const (
	skewWarn   = 30 * time.Second
	skewBad    = 5 * time.Minute
	expirySoon = 14 * 24 * time.Hour
	probeTime  = 10 * time.Second
)

func (c *client) doctorCommand() *cobra.Command {
	var config string
	cmd := c.verb("doctor", "Check this machine's way to the control plane: address, TLS, clock, token, restic, mail, Teleport, Vault; exit code 1 if something is bad", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			all, err := c.checkAll(ctx, config)
			if err != nil {
				return err
			}
			bad := false
			rows := make([][]cell, len(all))
			for i, v := range all {
				bad = bad || v.State == "bad"
				rows[i] = []cell{text(v.Check), state(v.State), text(v.Detail)}
			}
			if c.output == "json" {
				raw, err := json.Marshal(map[string]any{"ok": !bad, "checks": all})
				if err != nil {
					return fmt.Errorf("doctor: %w", err)
				}
				if err := c.json(raw); err != nil {
					return err
				}
			} else if err := c.table([]string{"CHECK", "STATE", "WHAT"}, rows); err != nil {
				return err
			}
			for _, v := range all {
				if v.Next != "" && v.State != "ok" {
					c.say("%s: %s", v.Check, v.Next)
				}
			}
			if bad {
				return errNotWell
			}
			return nil
		})
	cmd.Flags().StringVar(&config, "config", "", "the control plane's configuration file, to check its mail server, its Teleport cluster and its Vault (default "+defaultConfigFile+", where it is)")
	return cmd
}

func (c *client) checkAll(ctx context.Context, config string) ([]checkup, error) {
	base, err := c.baseURL()
	if err != nil {
		return nil, err
	}
	all := []checkup{{Check: "version", State: "ok", Detail: version + ", " + runtime.Version()}}
	dns := checkDNS(ctx, base.Hostname())
	all = append(all, dns)
	if dns.State != "bad" {
		all = append(all, c.checkPlane(ctx)...)
	}
	all = append(append(all, checkRestic()), checkMail(ctx, config)...)
	all = append(all, checkTeleport(ctx, config, probeTime, time.Now())...)
	return append(all, checkVault(ctx, config, probeTime)...), nil
}

func checkDNS(ctx context.Context, host string) checkup {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return checkup{"address", "bad", host + " is not known to the name server", "Check the address (--server-url or $OSTLER_URL) and the name server."}
	}
	return checkup{Check: "address", State: "ok", Detail: host + " is " + strings.Join(addrs, ", ")}
}

// checkPlane looks at what one request to /readyz tells: reachability, TLS and
// the clock; and at the token by one more.
func (c *client) checkPlane(ctx context.Context) []checkup {
	con, err := c.connect()
	if err != nil {
		return []checkup{{Check: "settings", State: "bad", Detail: err.Error(), Next: "Correct it, then look again."}}
	}
	probe, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(probe, http.MethodGet, con.base.String()+"/readyz", nil)
	if err != nil {
		return []checkup{{Check: "control plane", State: "bad", Detail: err.Error()}}
	}
	asked := time.Now()
	resp, err := con.http.Do(req)
	if err != nil {
		var e *controlplane.Error
		if err = unreachable(con.base, err); errors.As(err, &e) {
			return []checkup{{"control plane", "bad", e.Message, e.Next}}
		}
		return []checkup{{Check: "control plane", State: "bad", Detail: err.Error()}}
	}
	answered := time.Now()
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	_ = resp.Body.Close()
	return append(append(checkReady(resp.StatusCode, raw), checkTLS(resp.TLS, answered), checkClock(resp.Header.Get("Date"), asked, answered)), c.checkToken(ctx, con, answered))
}

func checkReady(status int, raw []byte) []checkup {
	var r struct {
		Ready  *bool `json:"ready"`
		Checks []struct {
			Name string `json:"name"`
			OK   bool   `json:"ok"`
			Next string `json:"next"`
		} `json:"checks"`
	}
	if err := json.Unmarshal(raw, &r); err != nil || r.Ready == nil {
		return []checkup{{"control plane", "bad", fmt.Sprintf("something answers (%d), and it is not a control plane", status), "Check the address (--server-url or $OSTLER_URL)."}}
	}
	if *r.Ready {
		return []checkup{{Check: "control plane", State: "ok", Detail: "it answers and is ready"}}
	}
	out := []checkup{{Check: "control plane", State: "bad", Detail: "it answers and is not ready", Next: "See the lines below, and its log."}}
	for _, x := range r.Checks {
		if !x.OK {
			out = append(out, checkup{"  " + x.Name, "bad", "not well", x.Next})
		}
	}
	return out
}

func checkTLS(s *tls.ConnectionState, now time.Time) checkup {
	if s == nil || len(s.PeerCertificates) == 0 {
		return checkup{Check: "tls", State: "ok", Detail: "none: the connection stays on this machine"}
	}
	cert := s.PeerCertificates[0]
	left := cert.NotAfter.Sub(now)
	v := checkup{Check: "tls", State: "ok", Detail: fmt.Sprintf("%s, certificate of %s until %s", tls.VersionName(s.Version), cert.Issuer.CommonName, when(controlplane.Instant(cert.NotAfter)))}
	if left < expirySoon {
		v.State, v.Next = "warn", "The control plane's certificate ends soon: renew it."
	}
	return v
}

// checkClock compares clocks. An answer's Date has whole seconds.
func checkClock(date string, asked, answered time.Time) checkup {
	at, err := http.ParseTime(date)
	if err != nil {
		return checkup{Check: "clock", State: "unknown", Detail: "the control plane does not say what time it has"}
	}
	skew := asked.Add(answered.Sub(asked) / 2).Sub(at.Add(500 * time.Millisecond)).Round(time.Second)
	v := checkup{Check: "clock", State: "ok", Detail: fmt.Sprintf("%+d s against the control plane's", int(skew.Seconds())), Next: "Set this machine's clock (timedatectl), or the control plane's."}
	switch s := skew.Abs(); {
	case s > skewBad:
		v.State = "bad"
	case s > skewWarn:
		v.State = "warn"
	default:
		v.Next = ""
	}
	return v
}

// checkToken tries the token, and says when it ends.
func (c *client) checkToken(ctx context.Context, con *connection, now time.Time) checkup {
	if con.token == "" {
		return checkup{"token", "warn", "there is none", signInNext}
	}
	var got page[struct {
		tokenView
		Current bool `json:"current"`
	}]
	_, err := c.get(ctx, "/tokens", nil, &got)
	var e *controlplane.Error
	switch {
	case controlplane.ErrorCode(err) == controlplane.CodeForbidden:
		return checkup{Check: "token", State: "ok", Detail: "it is good; it may not say when it ends"}
	case errors.As(err, &e):
		return checkup{"token", "bad", e.Message, e.Next}
	case err != nil:
		return checkup{Check: "token", State: "bad", Detail: err.Error()}
	}
	for _, t := range got.Items {
		end, err := time.Parse(time.RFC3339, t.ExpiresAt)
		if !t.Current || err != nil {
			continue
		}
		v := checkup{Check: "token", State: "ok", Detail: fmt.Sprintf("%s, until %s", t.Name, when(t.ExpiresAt))}
		if end.Sub(now) < expirySoon {
			v.State, v.Next = "warn", "It ends soon: make a new one in the portal, and keep it with: ostler token save"
		}
		return v
	}
	return checkup{Check: "token", State: "ok", Detail: "it is good; when it ends is not known"}
}

// checkRestic reads the version that is built into the restic on the path,
// without running it.
func checkRestic() checkup {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		file := filepath.Join(dir, "restic")
		if info, err := os.Stat(file); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			continue
		}
		info, err := buildinfo.ReadFile(file)
		if err != nil || info.Main.Path != "github.com/restic/restic" {
			return checkup{Check: "restic", State: "unknown", Detail: file + " does not tell its version"}
		}
		return checkup{Check: "restic", State: "ok", Detail: file + " " + info.Main.Version}
	}
	return checkup{Check: "restic", State: "ok", Detail: "not on this machine, and not needed to ask a control plane"}
}
