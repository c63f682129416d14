package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

func (c *client) accessWhy() *cobra.Command {
	var at asAt
	cmd := c.verb("why CUSTOMER WHO", "Say by what right somebody can reach a customer's servers, and whether it is in force: each line of the list that names them", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		q, err := at.query()
		if err != nil {
			return err
		}
		var got struct {
			At    string            `json:"at"`
			Lines []json.RawMessage `json:"lines"`
		}
		if _, err := c.get(ctx, "/customers/"+id(args[0])+"/access", q, &got); err != nil {
			return err
		}
		lines := make([]accessLineView, len(got.Lines))
		for i, raw := range got.Lines {
			if err := json.Unmarshal(raw, &lines[i]); err != nil {
				return fmt.Errorf("access why: the control plane's answer cannot be read: %w", err)
			}
		}
		theirs, err := c.linesOf(ctx, args[1], args[0], when(got.At), lines)
		if err != nil {
			return err
		}
		return c.showWhy(got.Lines, lines, theirs)
	})
	return at.flags(cmd)
}

// linesOf are the places of the lines that name somebody: by id, by exact name,
// by what was found where nobody is known, or as staff by e-mail address.
func (c *client) linesOf(ctx context.Context, typed, customer, at string, lines []accessLineView) ([]int, error) {
	var all []candidate
	seen := map[string]bool{}
	for _, l := range lines {
		if key := l.key(); !seen[key] {
			seen[key] = true
			all = append(all, candidate{id: key, name: l.Name})
		}
	}
	who, err := pick(typed, "person", "They are not on the list of "+customer+" at "+at+"; look at another time with --at, or see ostler access list "+customer+".", all)
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound && strings.Contains(typed, "@") {
		if who, err = c.findPerson(ctx, typed); err == nil && !seen[who] {
			return nil, controlplane.Errorf(controlplane.CodeNotFound, "Look at another time with --at.", "They are not on the list of %s at %s", customer, at)
		}
	}
	if err != nil {
		return nil, err
	}
	var out []int
	for i, l := range lines {
		if l.key() == who {
			out = append(out, i)
		}
	}
	return out, nil
}

// key tells whoever a line is about: their id, or what was found.
func (v accessLineView) key() string {
	if v.Person != "" {
		return v.Person
	}
	return v.Unknown
}

// inForce says in words whether a line is in force, as the portal does.
func (v accessLineView) inForce() string {
	end := ""
	if v.Could != nil && v.Could.Until != "" {
		end = ", until " + when(v.Could.Until) + " at the latest"
	}
	switch v.Standing {
	case "enforced":
		return "in force since " + when(v.Enforced.From)
	case "unconfirmed":
		return "unattested; last seen in force " + when(v.Enforced.From)
	case "by_hand":
		return "kept by hand, not measured"
	case "unattested":
		return "unattested: nobody looked, so neither yes nor no"
	case "open":
		return "taken away; a session or a certificate may still be open" + end
	case "kept":
		return "kept by hand"
	case "not_enforced":
		return "not in force"
	}
	return spaced(v.Standing)
}

// granted says from when until when somebody put them there, or that nobody did.
func (v accessLineView) granted() string {
	if v.Listed == nil {
		return "no: they are not on the list, and that is a finding"
	}
	end := "no end is set"
	if v.Listed.Until != "" {
		end = "until " + when(v.Listed.Until)
	}
	return "since " + when(v.Listed.From) + ", " + end
}

var wayWords = map[string]string{"teleport": "signs in through Teleport", "login": "account or key on the server", "admin": "administrator who could give themselves access", "backup_key": "holds keys of the backups",
	"restore": "may restore in the portal", "physical": "may stand before the machine", "visit": "visit", "service": "service account", "customer": "let in by the customer"}

// showWhy explains lines, each with what it stands on.
func (c *client) showWhy(raw []json.RawMessage, lines []accessLineView, theirs []int) error {
	if c.output == "json" {
		items := []json.RawMessage{}
		for _, i := range theirs {
			items = append(items, raw[i])
		}
		b, err := json.Marshal(page[json.RawMessage]{Items: items})
		if err != nil {
			return fmt.Errorf("access why: %w", err)
		}
		return c.json(b)
	}
	for n, i := range theirs {
		if n > 0 {
			if _, err := fmt.Fprintln(c.out); err != nil {
				return err
			}
		}
		v := lines[i]
		why, told := v.Reason, "a finding, not a grant"
		if v.Shared {
			why = "granted for another customer on the same server"
		}
		if v.Listed != nil {
			told = orNotYet(v.Notified)
		}
		if err := c.facts(pair{"Who", text(v.who())}, pair{"How", text(orWord(wayWords[v.Way], v.Way))}, pair{"Role", text(v.Role)}, pair{"Where", text(v.Place)}, pair{"Why", text(why)}, pair{"Ticket", text(v.Ticket)}, pair{"Granted by", text(v.By)},
			pair{"Stands on", text(strings.Join(v.Grounds, ", "))}, pair{"Granted", text(v.granted())}, pair{"Enforced", text(v.inForce())}, pair{"Customer told", text(told)}, pair{"Last used", text(when(v.LastUsed))},
			pair{"Training until", text(when(v.Trained))}, pair{"Knows the brief", text(map[bool]string{true: "yes"}[v.Briefed])}); err != nil {
			return err
		}
	}
	return nil
}

// orWord is the first that is not empty.
func orWord(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// matrixView is people against customers.
type matrixView struct {
	People        []json.RawMessage `json:"people"`
	Customers     []json.RawMessage `json:"customers"`
	Cells         []json.RawMessage `json:"cells"`
	NextPageToken string            `json:"next_page_token"`
}

// matrixRow is what a person has at a customer.
type matrixRow struct {
	who, customer, roles, until string
	differs                     bool
}

func (c *client) accessMatrix() *cobra.Command {
	var person, customer string
	cmd := c.verb("matrix", "Show people against customers: who has which role where, and where list and enforcement differ", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		var who, of string
		if person != "" {
			var err error
			if who, err = c.findPerson(ctx, person); err != nil {
				return err
			}
		}
		if customer != "" {
			q, err := c.filter(ctx, "", customer)
			if err != nil {
				return err
			}
			of = q.Get("customer")
		}
		all, err := c.matrix(ctx)
		if err != nil {
			return err
		}
		if c.output == "json" {
			b, err := json.Marshal(all)
			if err != nil {
				return fmt.Errorf("access matrix: %w", err)
			}
			return c.json(b)
		}
		return c.showMatrix(all, who, of)
	})
	cmd.Flags().StringVar(&person, "person", "", "only this person, by id, e-mail or name")
	cmd.Flags().StringVar(&customer, "customer", "", "only this customer, by slug or id")
	return cmd
}

// matrix gets every page.
func (c *client) matrix(ctx context.Context) (matrixView, error) {
	all := matrixView{People: []json.RawMessage{}, Customers: []json.RawMessage{}, Cells: []json.RawMessage{}}
	for token := ""; ; {
		q := url.Values{"page_size": {fmt.Sprint(pageSize)}}
		if token != "" {
			q.Set("page_token", token)
		}
		var got matrixView
		if _, err := c.get(ctx, "/access/matrix", q, &got); err != nil {
			return all, err
		}
		all.People, all.Customers, all.Cells = got.People, append(all.Customers, got.Customers...), append(all.Cells, got.Cells...)
		if token = got.NextPageToken; token == "" {
			return all, nil
		}
	}
}

func (c *client) showMatrix(all matrixView, who, of string) error {
	names := map[string]string{}
	for _, raw := range all.People {
		var v accessPersonView
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("access matrix: the control plane's answer cannot be read: %w", err)
		}
		names[v.ID] = v.Name
	}
	for _, raw := range all.Customers {
		var v struct{ Customer, Name string }
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("access matrix: the control plane's answer cannot be read: %w", err)
		}
		names[v.Customer] = v.Name
	}
	var rows []matrixRow
	for _, raw := range all.Cells {
		var v struct {
			Person, Customer, Until string
			Roles                   []string
			Difference              bool
		}
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("access matrix: the control plane's answer cannot be read: %w", err)
		}
		if who != "" && v.Person != who || of != "" && v.Customer != of {
			continue
		}
		rows = append(rows, matrixRow{orWord(names[v.Person], v.Person), orWord(names[v.Customer], v.Customer), strings.Join(v.Roles, ", "), when(v.Until), v.Difference})
	}
	if len(rows) == 0 {
		c.say("Nobody there has access to anything.")
		return nil
	}
	slices.SortFunc(rows, func(a, b matrixRow) int { return strings.Compare(a.who+"\x00"+a.customer, b.who+"\x00"+b.customer) })
	cells := make([][]cell, len(rows))
	for i, r := range rows {
		cells[i] = []cell{text(r.who), text(r.customer), text(r.roles), text(r.until), text(yesNo(r.differs))}
	}
	return c.table([]string{"WHO", "CUSTOMER", "ROLES", "FIRST END", "DIFFERS"}, cells)
}
