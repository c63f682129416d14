package main

import (
	"context"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// customerView is what the command line reads of a customer.
type customerView struct {
	ID        string `json:"id"`
	Slug      string `json:"slug"`
	Name      string `json:"name"`
	Parent    string `json:"parent"`
	Country   string `json:"country"`
	Zone      string `json:"zone"`
	CreatedAt string `json:"created_at"`
}

func (c *client) showCustomer(v customerView) error {
	return c.facts(pair{"Customer", text(v.Name)}, pair{"Slug", text(v.Slug)}, pair{"Id", text(v.ID)}, pair{"Parent", text(v.Parent)},
		pair{"Country", text(v.Country)}, pair{"Time zone", text(v.Zone)}, pair{"Since", text(when(v.CreatedAt))})
}

func (c *client) customerCommand() *cobra.Command {
	var p paging
	lst := c.verb("list", "List customers", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return list(ctx, c, "/customers", nil, p, []string{"SLUG", "NAME", "COUNTRY", "ID"}, func(v customerView) []cell {
			return []cell{text(v.Slug), text(v.Name), text(v.Country), text(v.ID)}
		}, "There are no customers yet. Add one: ostler customer add SLUG --name NAME --country DE")
	})
	shw := c.verb("show CUSTOMER", "Show one customer, by slug or id", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/customers/"+id(args[0]), nil, c.showCustomer)
	})
	return noun("customer", "Customers of the hosting company", p.flags(lst), c.customerAdd(), shw)
}

func (c *client) customerAdd() *cobra.Command {
	var name, country, zone, parent string
	cmd := c.verb("add SLUG", "Add a customer", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		body := map[string]string{"slug": args[0], "name": name, "country": country, "zone": zone}
		q, err := c.filter(ctx, "", parent)
		if err != nil {
			return err
		}
		if of := q.Get("customer"); of != "" {
			body["parent"] = of
		}
		var v customerView
		a, err := c.post(ctx, "/customers", body, &v)
		if err != nil {
			return err
		}
		return shown(c, a, v, c.showCustomer)
	})
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "the company's name")
	f.StringVar(&country, "country", "", "country of its law, two letters: DE")
	f.StringVar(&zone, "zone", "Europe/Berlin", "IANA time zone of its people")
	f.StringVar(&parent, "parent", "", "the reseller or agency it comes with, by slug or id")
	_ = cmd.MarkFlagRequired("name")
	_ = cmd.MarkFlagRequired("country")
	return cmd
}

// contactView is what the command line reads of a contact.
type contactView struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Role     string `json:"role"`
	Language string `json:"language"`
}

func (c *client) showContact(v contactView) error {
	return c.facts(pair{"Contact", text(v.Name)}, pair{"E-mail", text(v.Email)}, pair{"Role", text(v.Role)}, pair{"Language", text(v.Language)},
		pair{"Customer", text(v.Customer)}, pair{"Id", text(v.ID)})
}

func (c *client) contactCommand() *cobra.Command {
	lst := c.verb("list CUSTOMER", "List a customer's contacts", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		q, err := c.filter(ctx, "", args[0])
		if err != nil {
			return err
		}
		return list(ctx, c, "/customers/"+id(q.Get("customer"))+"/contacts", nil, paging{whole: true}, []string{"NAME", "E-MAIL", "ROLE", "ID"}, func(v contactView) []cell {
			return []cell{text(v.Name), text(v.Email), text(v.Role), text(v.ID)}
		}, "This customer has no contacts yet. Add one: ostler contact add CUSTOMER --name NAME --email ADDRESS --role owner")
	})
	var name, email, role, language string
	add := c.verb("add CUSTOMER", "Add a person of a customer", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		q, err := c.filter(ctx, "", args[0])
		if err != nil {
			return err
		}
		var v contactView
		a, err := c.post(ctx, "/customers/"+id(q.Get("customer"))+"/contacts", map[string]string{"name": name, "email": email, "role": role, "language": language}, &v)
		if err != nil {
			return err
		}
		return shown(c, a, v, c.showContact)
	})
	f := add.Flags()
	f.StringVar(&name, "name", "", "the person's name")
	f.StringVar(&email, "email", "", "the person's e-mail address")
	f.StringVar(&role, "role", "reader", "owner, restorer or reader")
	f.StringVar(&language, "language", "en", "language for this person, BCP 47")
	_ = add.MarkFlagRequired("name")
	_ = add.MarkFlagRequired("email")
	_ = add.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{"owner", "restorer", "reader"}, cobra.ShellCompDirectiveNoFileComp))
	return noun("contact", "People of customers", lst, add)
}

// tenancyView is what the command line reads of a tenancy.
type tenancyView struct {
	ID        string   `json:"id"`
	Server    string   `json:"server"`
	Customer  string   `json:"customer"`
	Dedicated bool     `json:"dedicated"`
	Paths     []string `json:"paths"`
	Sites     []string `json:"sites"`
	Databases []string `json:"databases"`
}

func (c *client) showTenancy(v tenancyView) error {
	return c.facts(pair{"Tenancy", text(v.ID)}, pair{"Server", text(v.Server)}, pair{"Customer", text(v.Customer)}, pair{"Dedicated", text(yesNo(v.Dedicated))},
		pair{"Paths", text(strings.Join(v.Paths, ", "))}, pair{"Sites", text(strings.Join(v.Sites, ", "))}, pair{"Databases", text(strings.Join(v.Databases, ", "))})
}

func (c *client) tenancyCommand() *cobra.Command {
	var server, customer string
	lst := c.verb("list", "List who lives on which server", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q, err := c.filter(ctx, server, customer)
		if err != nil {
			return err
		}
		names, err := c.names(ctx)
		if err != nil {
			return err
		}
		return list(ctx, c, "/tenancies", q, paging{whole: true}, []string{"SERVER", "CUSTOMER", "PATHS", "SITES", "ID"}, func(v tenancyView) []cell {
			return []cell{text(names(v.Server)), text(names(v.Customer)), text(strings.Join(v.Paths, ", ")), text(strings.Join(v.Sites, ", ")), text(v.ID)}
		}, "Nobody lives there yet. Add a tenancy: ostler tenancy add --server SERVER --customer CUSTOMER --path /srv/www")
	})
	addFilter(lst, &server, &customer)
	return noun("tenancy", "Which customer lives on which server, and with what", lst, c.tenancyAdd())
}

func (c *client) tenancyAdd() *cobra.Command {
	var server, customer string
	var dedicated bool
	var paths, sites, databases []string
	cmd := c.verb("add", "Let a customer live on a server", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q, err := c.filter(ctx, server, customer)
		if err != nil {
			return err
		}
		body := map[string]any{"server": q.Get("server"), "customer": q.Get("customer"), "dedicated": dedicated,
			"paths": append([]string{}, paths...), "sites": append([]string{}, sites...), "databases": append([]string{}, databases...)}
		var v tenancyView
		a, err := c.post(ctx, "/tenancies", body, &v)
		if err != nil {
			return err
		}
		return shown(c, a, v, c.showTenancy)
	})
	addFilter(cmd, &server, &customer)
	f := cmd.Flags()
	f.BoolVar(&dedicated, "dedicated", false, "the server is this customer's alone")
	f.StringArrayVar(&paths, "path", nil, "folder that belongs to the customer (again for more)")
	f.StringArrayVar(&sites, "site", nil, "host name of a site (again for more)")
	f.StringArrayVar(&databases, "database", nil, "name of a database (again for more)")
	for _, name := range []string{"server", "customer", "path"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

// addFilter adds --server and --customer.
func addFilter(cmd *cobra.Command, server, customer *string) {
	cmd.Flags().StringVar(server, "server", "", "server, by name or id")
	cmd.Flags().StringVar(customer, "customer", "", "customer, by slug or id")
}

// filter turns names into ids: the query {server, customer}, without what was not named.
func (c *client) filter(ctx context.Context, server, customer string) (url.Values, error) {
	q := url.Values{}
	for _, n := range []struct{ key, path, typed string }{{"server", "/servers/", server}, {"customer", "/customers/", customer}} {
		if n.typed == "" {
			continue
		}
		var v struct {
			ID string `json:"id"`
		}
		if _, err := c.get(ctx, n.path+id(n.typed), nil, &v); err != nil {
			return nil, err
		}
		q.Set(n.key, v.ID)
	}
	return q, nil
}

// names returns what people call servers and customers, for tables; an id that
// one may not look up stays as it is.
func (c *client) names(ctx context.Context) (func(id string) string, error) {
	known := map[string]string{}
	name := func(id string) string {
		if n := known[id]; n != "" {
			return n
		}
		return id
	}
	if c.output == "json" {
		return name, nil
	}
	servers, _, err := pages[serverView](ctx, c, "/servers", nil, paging{})
	if err != nil && controlplane.ErrorCode(err) != controlplane.CodeForbidden {
		return nil, err
	}
	for _, v := range servers {
		known[v.ID] = v.Name
	}
	customers, _, err := pages[customerView](ctx, c, "/customers", nil, paging{})
	if err != nil && controlplane.ErrorCode(err) != controlplane.CodeForbidden {
		return nil, err
	}
	for _, v := range customers {
		known[v.ID] = v.Slug
	}
	return name, nil
}
