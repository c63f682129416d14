package certs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ostler/certs/acme/providers"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// ProviderKinds lists the kinds of DNS providers with their settings.
func (s *Service) ProviderKinds() []ProviderKind {
	var out []ProviderKind
	for _, d := range providers.Kinds() {
		k := ProviderKind{Kind: string(d.Kind), Label: d.Label}
		for _, f := range d.Fields {
			k.Fields = append(k.Fields, ProviderField{Name: f.Name, Label: f.Label, Help: f.Help, Secret: f.Secret, Required: f.Required, Default: f.Default, Choices: f.Choices})
		}
		out = append(out, k)
	}
	return out
}

// Providers lists DNS providers, of one customer where customer is not "".
// Permission: cert.read.
func (s *Service) Providers(ctx context.Context, scope policy.Scope, customer string) ([]Provider, error) {
	var out []Provider
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		out = nil
		rows, err := db.Where[providerRow](tx, scope, "created_at, id", 0, "removed_at = 0 AND (? = '' OR customer_id = ?)", customer, customer)
		if err != nil {
			return err
		}
		for _, r := range rows {
			p, err := r.value()
			if err != nil {
				return err
			}
			out = append(out, p)
		}
		return nil
	})
	return out, err
}

// AddProvider keeps the credentials of a DNS provider, sealed. Permission:
// cert.admin, or cert.write for a customer's own. Errors: invalid with fields, conflict.
func (s *Service) AddProvider(ctx context.Context, scope policy.Scope, in NewProvider) (Provider, error) {
	if in.Customer == "" && !scope.All() || in.Customer != "" && !scope.Allows(in.Customer) {
		return Provider{}, controlplane.NotFound("customer")
	}
	if err := s.checkProvider(scope, in); err != nil {
		return Provider{}, err
	}
	if in.Customer != "" { // before a key is made for somebody who is not there
		if err := s.db.Read(ctx, func(tx *db.Tx) error {
			_, err := s.customers.CustomerIn(tx, scope, in.Customer)
			return err
		}); err != nil {
			return Provider{}, err
		}
	}
	row := providerRow{ID: controlplane.NewID(controlplane.PrefixDNS), CustomerID: in.Customer, Name: in.Name, Kind: in.Kind, Zone: in.Zone}
	filled := maps.Clone(in.Config)
	maps.DeleteFunc(filled, func(_, v string) bool { return v == "" })
	var err error
	if row.Config, err = s.keeper.StoreCredential(ctx, in.Customer, ad("cert_providers", "config", row.ID), filled); err != nil {
		return Provider{}, fmt.Errorf("certs: add provider: %w", err)
	}
	row.Fields = encode(slices.Sorted(maps.Keys(filled)))
	var out Provider
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if in.Customer != "" {
			if _, err := s.customers.CustomerIn(tx, scope, in.Customer); err != nil {
				return err
			}
		}
		row.CreatedAt = tx.NowMillis()
		there, err := db.Where[providerRow](tx, scope, "id", 0, "customer_id = ? AND removed_at = 0", in.Customer)
		if err != nil {
			return err
		}
		for _, o := range there {
			if o.Name == in.Name {
				return controlplane.Invalid(controlplane.Field{Pointer: "/name", Message: "There is a provider of that name already: choose another name."})
			}
			if in.Zone != "" && o.Zone != "" {
				return controlplane.Errorf(controlplane.CodeConflict, "Remove that one first.", "Challenges are delegated to %s already", o.Zone)
			}
		}
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Customer: in.Customer, Subject: row.ID, Kind: "dns_provider.added",
			Data: map[string]any{"name": in.Name, "kind": in.Kind, "zone": in.Zone}}); err != nil {
			return err
		}
		out, err = row.value()
		return err
	})
	return out, err
}

func (s *Service) checkProvider(scope policy.Scope, in NewProvider) error {
	var bad []controlplane.Field
	if n := len(strings.TrimSpace(in.Name)); n == 0 || n > 100 || !plain(in.Name) {
		bad = append(bad, controlplane.Field{Pointer: "/name", Message: "Give the provider a name of 1 to 100 characters that can be seen."})
	}
	if in.Zone != "" && (in.Customer != "" || !validName(in.Zone) || strings.HasPrefix(in.Zone, "*.")) {
		bad = append(bad, controlplane.Field{Pointer: "/zone", Message: "Only a provider of the company has a zone to delegate to, such as acme.example.com."})
	}
	if in.Kind == "exec" && !scope.All() {
		bad = append(bad, controlplane.Field{Pointer: "/kind", Message: "Programs of the control plane are for us to run: choose another kind."})
	}
	if bad != nil {
		return controlplane.Invalid(bad...)
	}
	if s.resolver == nil {
		return nil
	}
	_, err := providers.New(providers.Kind(in.Kind), in.Config, providers.Options{Resolver: s.resolver, Programs: s.opts.Programs, Public: in.Customer != "" && !s.opts.Private})
	return err
}

// openConfig opens the settings of a provider. They may stand in Vault: call it
// outside transactions.
func (s *Service) openConfig(ctx context.Context, row providerRow) (map[string]string, error) {
	out, err := s.keeper.Credential(ctx, row.CustomerID, ad("cert_providers", "config", row.ID), row.Config)
	if err != nil {
		return nil, fmt.Errorf("certs: provider: %w", err)
	}
	return out, nil
}

// RemoveProvider forgets a DNS provider and its credentials. Errors: conflict
// while a certificate uses it.
func (s *Service) RemoveProvider(ctx context.Context, scope policy.Scope, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := db.One[providerRow](tx, scope, "provider", id)
		if err != nil || row.RemovedAt > 0 {
			return err
		}
		n, err := count[certRow](tx, "provider_id = ? AND ended_at = 0", id)
		if err == nil && n == 0 && row.Zone != "" {
			n, err = count[certRow](tx, "challenge = ? AND ended_at = 0", ChallengeDelegate)
		}
		if err != nil {
			return err
		}
		if n > 0 {
			return controlplane.Errorf(controlplane.CodeConflict, "Choose another provider for them first.", "Certificates use this provider: %d", n)
		}
		if err := s.keeper.ForgetCredential(tx, row.CustomerID, ad("cert_providers", "config", row.ID), row.Config); err != nil {
			return err
		}
		row.Config, row.RemovedAt = []byte{}, tx.NowMillis()
		if err := db.Save(tx, &row); err != nil {
			return err
		}
		_, err = s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Subject: id, Kind: "dns_provider.removed", Data: map[string]any{"name": row.Name, "kind": row.Kind}})
		return err
	})
}
