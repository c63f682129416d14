package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// serverView is what the command line reads of a server.
type serverView struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Location  string `json:"location"`
	Country   string `json:"country"`
	State     string `json:"state"`
	Agent     string `json:"agent_state"`
	HeardAt   string `json:"heard_at"`
	CreatedAt string `json:"created_at"`
}

// agentView is a server's agent as it was last heard of.
type agentView struct {
	State       string `json:"state"`
	Version     string `json:"version"`
	HeardAt     string `json:"heard_at"`
	SilentSince string `json:"silent_since"`
	ExpiresAt   string `json:"certificate_expires_at"`
	SkewMillis  int64  `json:"skew_millis"`
	DiskFree    int64  `json:"disk_free_bytes"`
	DiskSize    int64  `json:"disk_size_bytes"`
}

// spaced is a state of the API for people: "not_enrolled" is "not enrolled".
func spaced(s string) string { return strings.ReplaceAll(s, "_", " ") }

func (c *client) showServer(v serverView) error {
	return c.facts(pair{"Server", text(v.Name)}, pair{"State", state(v.State)}, pair{"Agent", state(spaced(v.Agent))}, pair{"Last heard", text(when(v.HeardAt))},
		pair{"Location", text(v.Location)}, pair{"Country", text(v.Country)}, pair{"Since", text(when(v.CreatedAt))}, pair{"Id", text(v.ID)})
}

func (c *client) serverCommand() *cobra.Command {
	var p paging
	var customer string
	lst := c.verb("list", "List servers", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q, err := c.filter(ctx, "", customer)
		if err != nil {
			return err
		}
		return list(ctx, c, "/servers", q, p, []string{"SERVER", "STATE", "AGENT", "LAST HEARD", "LOCATION", "ID"}, func(v serverView) []cell {
			return []cell{text(v.Name), state(v.State), state(spaced(v.Agent)), text(when(v.HeardAt)), text(v.Location), text(v.ID)}
		}, "There are no servers yet. Add one: ostler server add NAME --country DE")
	})
	lst.Flags().StringVar(&customer, "customer", "", "only servers on which this customer lives, by slug or id")
	shw := c.verb("show SERVER", "Show one server, by name or id", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/servers/"+id(args[0]), nil, c.showServer)
	})
	return noun("server", "Servers and their agents", p.flags(lst), c.serverAdd(), shw, c.serverEnrol(), c.serverStatus())
}

func (c *client) serverAdd() *cobra.Command {
	var location, country string
	cmd := c.verb("add NAME", "Add a server, by its host name", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		var v serverView
		a, err := c.post(ctx, "/servers", map[string]string{"name": args[0], "location": location, "country": country}, &v)
		if err != nil {
			return err
		}
		if err := shown(c, a, v, c.showServer); err != nil {
			return err
		}
		c.say("Enrol its agent: ostler server enrol %s", v.Name)
		return nil
	})
	cmd.Flags().StringVar(&location, "location", "", "facility, room, rack")
	cmd.Flags().StringVar(&country, "country", "", "country of the facility, two letters: DE")
	_ = cmd.MarkFlagRequired("country")
	return cmd
}

// enrolmentView is a token for one agent to enrol with, shown once.
type enrolmentView struct {
	Token     string `json:"token"`
	Plane     string `json:"plane"`
	ExpiresAt string `json:"expires_at"`
}

func (c *client) serverEnrol() *cobra.Command {
	var from string
	cmd := c.verb("enrol SERVER", "Make a single-use token, and print the command to run on the server", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		q, err := c.filter(ctx, args[0], "")
		if err != nil {
			return err
		}
		body := map[string]string{}
		if from != "" {
			body["from"] = from
		}
		var v enrolmentView
		a, err := c.post(ctx, "/servers/"+id(q.Get("server"))+"/enrolment-tokens", body, &v)
		if err != nil {
			return err
		}
		return shown(c, a, v, func(v enrolmentView) error {
			c.say("Run this as root on %s, once, before %s:", args[0], when(v.ExpiresAt))
			// by standard input: arguments are readable by everybody on a machine
			_, err := fmt.Fprintln(c.out, safe("printf '%s\\n' '"+v.Token+"' | ostler-agent enrol --plane "+v.Plane+" --token-file -"))
			return err
		})
	})
	cmd.Flags().StringVar(&from, "from", "", "only from these addresses, in CIDR form: 192.0.2.0/24")
	return cmd
}

// statusView is how a server is, put together from several answers.
type statusView struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	State     string            `json:"state"`
	Connected bool              `json:"connected"`
	Well      bool              `json:"well"` // connected, and nothing open
	Agent     json.RawMessage   `json:"agent"`
	Findings  []json.RawMessage `json:"findings"`
}

func (c *client) serverStatus() *cobra.Command {
	var check bool
	cmd := c.verb("status SERVER", "Say how a server's agent is, and what is open about the server", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		var v serverView
		if _, err := c.get(ctx, "/servers/"+id(args[0]), nil, &v); err != nil {
			return err
		}
		var agent agentView
		a, err := c.get(ctx, "/servers/"+id(v.ID)+"/agent", nil, &agent)
		if err != nil {
			return err
		}
		open, _, err := pages[json.RawMessage](ctx, c, "/findings", url.Values{"server": {v.ID}}, paging{})
		if err != nil {
			return err
		}
		s := statusView{ID: v.ID, Name: v.Name, State: v.State, Connected: agent.State == "connected", Agent: a.raw, Findings: append([]json.RawMessage{}, open...)}
		s.Well = s.Connected && len(open) == 0
		if err := c.showStatus(s, agent); err != nil {
			return err
		}
		if check && !s.Well {
			return errNotWell
		}
		return nil
	})
	cmd.Flags().BoolVar(&check, "check", false, "exit code 1 unless it is connected and nothing is open")
	return cmd
}

func (c *client) showStatus(s statusView, a agentView) error {
	if c.output == "json" {
		raw, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("status: %w", err)
		}
		return c.json(raw)
	}
	disk, skew := "", ""
	if a.DiskSize > 0 {
		disk = size(a.DiskFree) + " free of " + size(a.DiskSize)
	}
	if a.HeardAt != "" {
		skew = fmt.Sprintf("%+.1f s against ours", float64(a.SkewMillis)/1000)
	}
	if err := c.facts(pair{"Server", text(s.Name)}, pair{"Agent", state(spaced(a.State))}, pair{"Last heard", text(when(a.HeardAt))},
		pair{"Silent since", text(when(a.SilentSince))}, pair{"Agent version", text(a.Version)}, pair{"Certificate until", text(when(a.ExpiresAt))},
		pair{"Clock", text(skew)}, pair{"Disk", text(disk)}, pair{"Open findings", text(count(int64(len(s.Findings))))}); err != nil {
		return err
	}
	for _, raw := range s.Findings {
		var f findingView
		if err := json.Unmarshal(raw, &f); err != nil {
			return fmt.Errorf("findings: %w", err)
		}
		if _, err := fmt.Fprintf(c.out, "\n%s: %s\n%s\nNext: %s\n", safe(f.Severity), safe(f.Title), safe(f.Cause), safe(f.Next)); err != nil {
			return err
		}
	}
	return nil
}
