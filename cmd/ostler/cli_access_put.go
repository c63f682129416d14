package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// changed sends a change of what is at a path, made from the version that is
// there now: a change by somebody else in between is a conflict.
func changed[T any](ctx context.Context, c *client, method, path string, body func(now T) (any, error), print func(T) error) error {
	var now, v T
	a, err := c.get(ctx, path, nil, &now)
	if err != nil {
		return err
	}
	sent, err := body(now)
	if err != nil {
		return err
	}
	if a, err = c.call(ctx, method, path, nil, sent, http.Header{"If-Match": a.header.Values("ETag")}, &v); err != nil {
		return err
	}
	return shown(c, a, v, print)
}

func (c *client) accessPersonChange() *cobra.Command {
	var name, company, owner string
	var users, logins []string
	var cmd *cobra.Command
	cmd = c.verb("change WHO", "Change a person: only what is named changes", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		body := map[string]any{}
		for _, x := range []struct {
			flag, key string
			value     any
		}{{"name", "name", name}, {"company", "company", company}, {"owner", "owner", owner}, {"teleport-user", "teleport_users", users}, {"login", "logins", logins}} {
			if cmd.Flags().Changed(x.flag) {
				body[x.key] = x.value
			}
		}
		if len(body) == 0 {
			return usagef("name what to change: --name, --company, --owner, --teleport-user, --login")
		}
		who, err := c.findPerson(ctx, args[0])
		if err != nil {
			return err
		}
		if owner != "" {
			if body["owner"], err = c.findPerson(ctx, owner); err != nil {
				return err
			}
		}
		return changed(ctx, c, http.MethodPatch, "/access/people/"+id(who), func(wholePersonView) (any, error) { return body, nil }, c.showPerson)
	})
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "their name; of who signs in here it is changed there")
	f.StringVar(&company, "company", "", "who employs them")
	f.StringVar(&owner, "owner", "", "of a service account: who answers for it, by id, e-mail or name")
	f.StringArrayVar(&users, "teleport-user", nil, "their users in Teleport from now on (again for more)")
	f.StringArrayVar(&logins, "login", nil, "their logins on hosts from now on (again for more)")
	return cmd
}

func (c *client) showTeam(v teamView) error {
	return c.facts(pair{"Team", text(v.ID)}, pair{"Name", text(v.Name)}, pair{"Members", text(v.who())})
}

func (c *client) accessTeam() *cobra.Command {
	cmd := c.verb("team TEAM", "Show a team, or make or change one", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		team, err := c.findTeam(ctx, args[0])
		if err != nil {
			return err
		}
		return show(ctx, c, "/access/teams/"+id(team), nil, c.showTeam)
	})
	cmd.AddCommand(c.accessTeamPut())
	return cmd
}

// teamMember is a member as the API takes one.
type teamMember struct {
	Person string `json:"person"`
	From   string `json:"from,omitempty"`
	Until  string `json:"until,omitempty"`
}

func (c *client) accessTeamPut() *cobra.Command {
	var members []string
	var yes string
	cmd := c.verb("put TEAM", "Say who is in a team, and make it where there is none of that name: whoever is not named is taken out, and loses what it gave them", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		var in []teamMember
		for _, m := range members {
			who, err := c.findPerson(ctx, m)
			if err != nil {
				return err
			}
			in = append(in, teamMember{Person: who})
		}
		team, err := c.findTeam(ctx, args[0])
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
			return posted(ctx, c, "/access/teams", map[string]any{"name": args[0], "members": in}, c.showTeam)
		}
		if err != nil {
			return err
		}
		return changed(ctx, c, http.MethodPut, "/access/teams/"+id(team), func(now teamView) (any, error) {
			if out := now.without(in); len(out) > 0 {
				if err := c.confirm(yes, now.Name, fmt.Sprintf("Taken out, with all that the team gave them: %s.", strings.Join(out, ", "))); err != nil {
					return nil, err
				}
			}
			return map[string]any{"name": now.Name, "members": in}, nil
		}, c.showTeam)
	})
	cmd.Flags().StringArrayVar(&members, "member", nil, "who is in it, by id, e-mail or name (again for more)")
	cmd.Flags().StringVar(&yes, "yes", "", "do not ask before somebody is taken out: the team's name")
	_ = cmd.MarkFlagRequired("member")
	return cmd
}

// without names the members that are not among those who are to be in it; the
// others keep the time that they have.
func (v teamView) without(in []teamMember) (out []string) {
	for _, m := range v.Members {
		kept := false
		for i := range in {
			if in[i].Person == m.Person {
				in[i].From, in[i].Until, kept = m.From, m.Until, true
			}
		}
		if !kept {
			out = append(out, m.Name)
		}
	}
	return out
}

// wholeFacilityView is a facility with its certificates.
type wholeFacilityView struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Country      string          `json:"country"`
	Location     string          `json:"location"`
	Controls     string          `json:"controls"`
	Certificates []facilityPaper `json:"certificates"`
}

// facilityPaper is a certificate of a facility.
type facilityPaper struct {
	Name      string `json:"name"`
	Number    string `json:"number,omitempty"`
	Until     string `json:"until,omitempty"`
	Reference string `json:"reference,omitempty"`
}

func (c *client) showFacility(v wholeFacilityView) error {
	if err := c.facts(pair{"Facility", text(v.ID)}, pair{"Name", text(v.Name)}, pair{"Country", text(v.Country)}, pair{"Location", text(v.Location)}, pair{"Controls", text(v.Controls)}); err != nil || len(v.Certificates) == 0 {
		return err
	}
	rows := make([][]cell, len(v.Certificates))
	for i, p := range v.Certificates {
		rows[i] = []cell{text(p.Name), text(p.Number), text(when(p.Until)), text(p.Reference)}
	}
	return c.table([]string{"CERTIFICATE", "NUMBER", "UNTIL", "KEPT AT"}, rows)
}

func (c *client) accessFacility() *cobra.Command {
	cmd := c.verb("facility FACILITY", "Show a facility with its certificates, or make or change one", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		place, err := c.findFacility(ctx, args[0])
		if err != nil {
			return err
		}
		return show(ctx, c, "/access/facilities/"+id(place), nil, c.showFacility)
	})
	cmd.AddCommand(c.accessFacilityPut())
	return cmd
}

func (c *client) accessFacilityPut() *cobra.Command {
	var country, location, controls string
	var papers []string
	var cmd *cobra.Command
	cmd = c.verb("put FACILITY", "Change a facility, or make it known where there is none of that name: only what is named changes", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		certificates, err := papersOf(papers)
		if err != nil {
			return err
		}
		over := func(now wholeFacilityView) (any, error) {
			for flag, x := range map[string]struct{ to, value *string }{"country": {&now.Country, &country}, "location": {&now.Location, &location}, "controls": {&now.Controls, &controls}} {
				if cmd.Flags().Changed(flag) {
					*x.to = *x.value
				}
			}
			if cmd.Flags().Changed("certificate") {
				now.Certificates = certificates
			}
			return map[string]any{"name": now.Name, "country": now.Country, "location": now.Location, "controls": now.Controls, "certificates": now.Certificates}, nil
		}
		place, err := c.findFacility(ctx, args[0])
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
			body, err := over(wholeFacilityView{Name: args[0]})
			if err != nil {
				return err
			}
			return posted(ctx, c, "/access/facilities", body, c.showFacility)
		}
		if err != nil {
			return err
		}
		return changed(ctx, c, http.MethodPut, "/access/facilities/"+id(place), over, c.showFacility)
	})
	f := cmd.Flags()
	f.StringVar(&country, "country", "", "two letters: DE")
	f.StringVar(&location, "location", "", "how the locations of the servers begin that stand there")
	f.StringVar(&controls, "controls", "", "what keeps people out, in a sentence; customers read it")
	f.StringArrayVar(&papers, "certificate", nil, "its certificates from now on: “name; number; valid until; where it is kept” (again for more)")
	return cmd
}

// papersOf reads certificates as they are typed.
func papersOf(typed []string) ([]facilityPaper, error) {
	out := []facilityPaper{}
	for _, s := range typed {
		parts := strings.Split(s, ";")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		if len(parts) < 3 || len(parts) > 4 || parts[0] == "" {
			return nil, usagef("--certificate is “name; number; valid until; where it is kept”, such as “ISO 27001; DE-1; 2027-03-31; folder 3”")
		}
		until, err := instantOf("certificate", parts[2])
		if err != nil {
			return nil, err
		}
		p := facilityPaper{Name: parts[0], Number: parts[1], Until: until}
		if len(parts) == 4 {
			p.Reference = parts[3]
		}
		out = append(out, p)
	}
	return out, nil
}
