package vault

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/hashicorp/vault/api"
)

// Credential is a set of fields as KV keeps it.
type Credential struct {
	Fields  map[string]string
	Version int64 // of the newest version, also where that one was deleted; 0: there was never one
	Found   bool
}

func (c *Client) data(customer, name string) string {
	return c.o.KV + "/data/" + c.o.Prefix + "/" + owner(customer) + "/" + name
}

func (c *Client) metadata(customer, name string) string {
	return c.o.KV + "/metadata/" + c.o.Prefix + "/" + owner(customer) + "/" + name
}

// Put writes a credential of a customer ("" is the company), if version is
// still the newest (0: there is none), and returns the new version.
//
// Errors: Conflict where somebody else wrote first.
func (c *Client) Put(ctx context.Context, customer, name string, fields map[string]string, version int64) (int64, error) {
	data := make(map[string]any, len(fields))
	for k, v := range fields {
		data[k] = v
	}
	path := c.data(customer, name)
	s, err := c.write(ctx, path, map[string]any{"data": data, "options": map[string]any{"cas": version}})
	if err != nil {
		return 0, err
	}
	n, err := number(s, "version")
	if err != nil {
		return 0, c.say(&Error{Trouble: NotOurs, Path: path, Err: err})
	}
	return n, nil
}

// Get reads the newest version of a credential. It is read whole or not at all:
// a field that is no text is NotOurs.
func (c *Client) Get(ctx context.Context, customer, name string) (Credential, error) {
	path := c.data(customer, name)
	s, err := c.read(ctx, path)
	if err != nil || s == nil {
		return Credential{}, err
	}
	var out Credential
	if about, ok := field[map[string]any](s, "metadata"); ok {
		out.Version, _ = number(&api.Secret{Data: about}, "version") // without it the next Put is refused, as it should be
	}
	data, ok := field[map[string]any](s, "data")
	if !ok {
		return out, nil // deleted in Vault
	}
	out.Found, out.Fields = true, make(map[string]string, len(data))
	for k, v := range data {
		text, ok := v.(string)
		if !ok {
			return out, c.say(&Error{Trouble: NotOurs, Path: path, Err: errors.New("a field is not text: " + k)})
		}
		out.Fields[k] = text
	}
	return out, nil
}

// Same reports whether fields are what the credential holds.
func (x Credential) Same(fields map[string]string) bool {
	return x.Found && maps.Equal(x.Fields, fields)
}

// Remove destroys all versions of a credential; one that is not there is gone.
func (c *Client) Remove(ctx context.Context, customer, name string) error {
	return c.remove(ctx, c.metadata(customer, name))
}

// Names lists the credentials of a customer, sorted.
func (c *Client) Names(ctx context.Context, customer string) ([]string, error) {
	path := c.o.KV + "/metadata/" + c.o.Prefix + "/" + owner(customer)
	s, err := c.do(ctx, path, func(l *api.Logical) (*api.Secret, error) { return l.ListWithContext(ctx, path) })
	if err != nil || s == nil {
		return nil, err
	}
	list, _ := field[[]any](s, "keys")
	var names []string
	for _, v := range list {
		if name, ok := v.(string); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
