// Package providers writes and removes the TXT records of dns-01 (RFC 8555,
// 8.4) at the companies and servers that keep zones. It keeps true that values
// of other challenges of the same name stay where they are, that writing or
// removing twice is the same as once (so a killed plane goes on, and cleans up
// what it wrote before), that credentials come from their fields alone and never
// stand in an error, and that only programs run that the plane's own
// configuration lists.
package providers

import (
	"context"
	"log/slog"
	"net/http"
)

// Presenter has the TXT record of a challenge written and removed. Both take
// the same inputs and may be called again.
type Presenter interface {
	// Present writes the record for name ("maple.example", without "*.") and the
	// key authorization. It does not wait until the record is visible.
	Present(ctx context.Context, name, keyAuth string) error
	// Clean removes what Present wrote, also another process's.
	Clean(ctx context.Context, name, keyAuth string) error
	// Record returns where Present writes, CNAMEs followed, and the value.
	Record(ctx context.Context, name, keyAuth string) (fqdn, value string, err error)
}

// Resolver is what is asked of the DNS; preflight.Resolver fills it.
type Resolver interface {
	// Follow returns name and all that its CNAMEs lead to, in order.
	Follow(ctx context.Context, name string) ([]string, error)
	// Zone returns the apex of the zone that name is in.
	Zone(ctx context.Context, name string) (string, error)
	// Without returns the authoritative servers that do not show value as a TXT of name.
	Without(ctx context.Context, name, value string) ([]string, error)
}

// Options are what no provider's credentials may say.
type Options struct {
	Resolver Resolver     // required
	HTTP     *http.Client // nil: one with a time-out of 30 s
	// Programs are the absolute paths that kind exec may run; from the plane's
	// configuration.
	Programs []string
	Log      *slog.Logger
}

// Kind is a provider's kind.
type Kind string

// Field is one of a kind's fields, for forms and the API.
type Field struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Help     string   `json:"help,omitempty"`
	Secret   bool     `json:"secret"`
	Required bool     `json:"required"`
	Default  string   `json:"default,omitempty"`
	Choices  []string `json:"choices,omitempty"`
}

// Description is one kind.
type Description struct {
	Kind   Kind    `json:"kind"`
	Label  string  `json:"label"`
	Fields []Field `json:"fields"`
}

// Kinds describes every kind, in the order of their labels.
func Kinds() []Description { return nil }

// New returns the presenter of a kind. An unknown kind, an unknown, missing or
// wrong field is a controlplane.Error that names the field and never its value.
func New(kind Kind, fields map[string]string, o Options) (Presenter, error) {
	return nil, nil
}
