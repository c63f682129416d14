package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (c *client) storeCommand() *cobra.Command {
	lst := c.verb("list", "List off-site stores", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return list(ctx, c, "/stores", nil, paging{}, []string{"STORE", "ADDRESS", "LOCATION", "COUNTRY", "ID"}, func(v storeView) []cell {
			return []cell{text(v.Name), text(v.URL), text(v.Location), text(v.Country), text(v.ID)}
		}, "There are no off-site stores yet. Add one: ostler store add NAME --url https://host:8000 --htpasswd FILE --country DE")
	})
	var v storeView
	add := c.verb("add NAME", "Make a rest-server known as a place for backups", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v.Name = args[0]
		var made storeView
		a, err := c.post(ctx, "/stores", v, &made)
		if err != nil {
			return err
		}
		return shown(c, a, made, func(v storeView) error {
			return c.facts(pair{"Store", text(v.Name)}, pair{"Address", text(v.URL)}, pair{"Location", text(v.Location)}, pair{"Country", text(v.Country)}, pair{"Id", text(v.ID)})
		})
	})
	f := add.Flags()
	f.StringVar(&v.URL, "url", "", "its address, https://host:port")
	f.StringVar(&v.Pin, "pin", "", "hex SHA-256 of its certificate's public key info (default: the system's roots)")
	f.StringVar(&v.HtpasswdPath, "htpasswd", "", "its user file, which the control plane writes")
	f.StringVar(&v.PIDPath, "pid-file", "", "its process id file, for the signal to read users again")
	f.StringVar(&v.Location, "location", "", "where it stands: Frankfurt")
	f.StringVar(&v.Country, "country", "", "country of that place, two letters: DE")
	for _, name := range []string{"url", "htpasswd", "country"} {
		_ = add.MarkFlagRequired(name)
	}
	return noun("store", "Off-site stores", lst, add)
}

// storeView is what the command line says and reads of a store.
type storeView struct {
	ID           string `json:"id,omitempty"`
	Name         string `json:"name"`
	URL          string `json:"url"`
	Pin          string `json:"pin"`
	HtpasswdPath string `json:"htpasswd_path"`
	PIDPath      string `json:"pid_path"`
	Location     string `json:"location"`
	Country      string `json:"country"`
}
