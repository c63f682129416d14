package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// inventoryTime is how long an inventory waits for the control plane before it
// answers with what it kept.
const inventoryTime = 20 * time.Second

// hostView is a server as configuration management needs it.
type hostView struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Location  string   `json:"location"`
	Country   string   `json:"country"`
	State     string   `json:"state"`
	Agent     string   `json:"agent_state"`
	Customers []string `json:"customers"`
	Shared    bool     `json:"shared"`
	Roles     []string `json:"roles"`
}

// hostsView are all servers that the token sees.
type hostsView struct {
	Items []hostView `json:"items"`
	Scope string     `json:"scope"` // all, or own: others may live there too
}

// inventoryKept is the last good answer to one token of one control plane.
type inventoryKept struct {
	ETag      string    `json:"etag"`
	CheckedAt time.Time `json:"checked_at"` // when the control plane last said that it is right
	Answer    hostsView `json:"answer"`
}

func (c *client) inventoryCommand() *cobra.Command {
	var all, fresh bool
	var host string
	cmd := c.verb("inventory", "Print the servers as Ansible reads an inventory; while the control plane is down, as they were last", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			if all == (host != "") {
				return usagef("say --list, or --host NAME")
			}
			hosts, err := c.hosts(ctx, fresh)
			if err != nil {
				return err
			}
			var out any = inventoryOf(hosts)
			if host != "" {
				out = hostVars(hosts, host)
			}
			raw, err := json.Marshal(out)
			if err != nil {
				return fmt.Errorf("inventory: %w", err)
			}
			return c.json(raw)
		})
	cmd.Flags().BoolVar(&all, "list", false, "all servers that the token sees, with their groups and variables")
	cmd.Flags().StringVar(&host, "host", "", "the variables of one server")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "only what the control plane says now: no inventory that was kept, however young")
	return cmd
}

// hosts asks for the servers. Where there is no answer, it returns what was
// kept of the last one, unless it has to be fresh, and says on standard error
// how old that is.
func (c *client) hosts(ctx context.Context, fresh bool) (hostsView, error) {
	con, err := c.connect()
	if err != nil {
		return hostsView{}, err
	}
	file := inventoryFile(con)
	kept, known := readKept(file)
	header := http.Header{}
	if known {
		header.Set("If-None-Match", kept.ETag)
	}
	limited, cancel := context.WithTimeout(ctx, inventoryTime)
	defer cancel()
	var got hostsView
	a, err := c.call(limited, http.MethodGet, "/inventory", nil, nil, header, &got)
	switch {
	case ctx.Err() != nil:
		return hostsView{}, ctx.Err()
	case err != nil && limited.Err() != nil:
		err = noAnswer{controlplane.Errorf(controlplane.CodeUnavailable, "Check the network between this machine and the control plane, then try again.",
			"%s did not answer within %s", con.base.Host, inventoryTime).Because(err), false}
	}
	if err != nil {
		return c.hostsKept(file, kept, known && !fresh, err)
	}
	if known && len(a.raw) == 0 { // 304
		got = kept.Answer
	}
	if err := keepInventory(file, inventoryKept{a.header.Get("ETag"), time.Now().UTC(), got}); err != nil {
		c.say("This inventory is not kept, so there is none while the control plane is down: %s", err)
	}
	return got, nil
}

// hostsKept answers without the control plane. A refusal is no reason for it:
// who may not see the servers any more does not see them here, neither now nor
// when the control plane is down.
func (c *client) hostsKept(file string, kept inventoryKept, known bool, err error) (hostsView, error) {
	down := unanswered(err)
	switch controlplane.ErrorCode(err) {
	case controlplane.CodeUnavailable, controlplane.CodeInternal:
		down = true
	case controlplane.CodeUnauthorized, controlplane.CodeForbidden:
		if rerr := os.Remove(file); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			c.say("What was kept for this token could not be deleted: %s", rerr)
		}
	}
	if !known || !down {
		return hostsView{}, err
	}
	var e *controlplane.Error
	cause, next := err.Error(), "Check with ostler doctor."
	if errors.As(err, &e) {
		cause, next = e.Message, e.Next
	}
	c.say("%s. This inventory is the one of %s, %s old: servers may have come or gone since.", cause, when(controlplane.Instant(kept.CheckedAt)), age(time.Since(kept.CheckedAt)))
	c.say("Next: %s", next)
	return kept.Answer, nil
}

// age is a length of time in the unit that fits.
func age(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return plural(int64(max(0, d)/time.Second), "second", "seconds")
	case d < 2*time.Hour:
		return plural(int64(d/time.Minute), "minute", "minutes")
	case d < 48*time.Hour:
		return plural(int64(d/time.Hour), "hour", "hours")
	}
	return plural(int64(d/(24*time.Hour)), "day", "days")
}

// inventoryFile is where the answer to this token is kept; "" is nowhere.
// Another token has another file: it may see other servers.
func inventoryFile(con *connection) string {
	dir := os.Getenv("OSTLER_CACHE_DIR")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(base, "ostler")
	}
	sum := sha256.Sum256([]byte(con.base.String() + "\x00" + con.token))
	return filepath.Join(dir, "inventory-"+hex.EncodeToString(sum[:12])+".json")
}

// readKept reads a kept inventory. One that cannot be read is none.
func readKept(file string) (kept inventoryKept, known bool) {
	raw, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(raw, &kept) != nil || kept.ETag == "" {
		return inventoryKept{}, false
	}
	return kept, true
}

// keepInventory writes a file that nobody else can read, whole or not at all.
func keepInventory(file string, kept inventoryKept) error {
	if file == "" {
		return errors.New("there is no folder for it: name one in $OSTLER_CACHE_DIR")
	}
	raw, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), "inventory-*.part") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
