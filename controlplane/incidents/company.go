package incidents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// maxPack bounds a pack of rules, in bytes: it stands in one ledger entry.
const maxPack = 48 << 10

// CompanyProfile returns who we are to the law; the zero Company where nothing
// was recorded. Permission: incident.read, of staff. Errors: not found.
func (s *Service) CompanyProfile(ctx context.Context, scope policy.Scope) (c Company, err error) {
	if !scope.All() {
		return c, controlplane.NotFound("page")
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error { c, err = s.companyIn(tx); return err })
	return c, wrap("company", err)
}

// companyIn is who we are to the law now.
func (s *Service) companyIn(tx *db.Tx) (Company, error) {
	list, err := s.companiesIn(tx)
	if err != nil || len(list) == 0 {
		return Company{}, err
	}
	return list[len(list)-1].Company, nil
}

// SetCompany changes it, for the cases that are open too. Version is the one that
// was read; 0 takes any. Permission: incident.admin. Errors: invalid, conflict
// where somebody changed it since.
func (s *Service) SetCompany(ctx context.Context, scope policy.Scope, in Company) (out Company, err error) {
	if !scope.All() {
		return out, controlplane.NotFound("page")
	}
	in.Entity = in.Entity.Recorded()
	if err := in.check(); err != nil {
		return out, err
	}
	if err := s.ready(ctx); err != nil {
		return out, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		is, err := s.companyIn(tx)
		if err != nil {
			return err
		}
		if in.Version != 0 && in.Version != is.Version {
			return conflict("Load it again, look at what is new, and change it then.", "Somebody has changed this since you opened it")
		}
		out = in
		out.Version = is.Version + 1
		if err := s.saveCompany(tx, out); err != nil {
			return err
		}
		data := map[string]any{"name": out.Name, "jurisdiction": out.Jurisdiction, "country": out.Country, "zone": out.Zone, "establishment": out.Establishment,
			"authorities": out.Authorities, "csirt": out.CSIRT, "entity_type": string(out.Entity.Type), "entity_size": string(out.Entity.Size), "services": joined(out.Entity.Services), "telecoms": out.Telecoms, "version": out.Version}
		if err := s.enter(tx, "", "incident.company", data, map[string]string{"contact": out.Contact, "contact_email": out.ContactEmail, "contact_phone": out.ContactPhone}); err != nil {
			return err
		}
		return s.recountAll(tx, "")
	})
	return out, wrap("set company", err)
}

// check says what is wrong with who we are.
func (c Company) check() error {
	var errs []error
	for pointer, text := range map[string]string{"/name": c.Name, "/csirt": c.CSIRT, "/contact": c.Contact, "/contact_phone": c.ContactPhone} {
		_, err := textField(pointer, text, maxTitle, false)
		errs = append(errs, err)
	}
	for _, a := range c.Authorities {
		_, err := textField("/authorities", a, maxTitle, true)
		errs = append(errs, err)
	}
	if !slices.Contains([]string{"", "EU", "UK", "other"}, c.Jurisdiction) {
		errs = append(errs, invalid("/jurisdiction", "Say EU, UK or other."))
	}
	if !c.Entity.Type.Valid() {
		errs = append(errs, invalid("/entity/type", "Say essential, important, not_in_scope or unknown."))
	}
	if !c.Entity.Size.Valid() {
		errs = append(errs, invalid("/entity/size", "Say micro, small, medium, large or unknown."))
	}
	for _, v := range c.Entity.Services {
		if !v.Valid() {
			errs = append(errs, invalid("/entity/services", "Choose among "+strings.ReplaceAll(joined(law.Services()), ",", ", ")+"."))
		}
	}
	if c.ContactEmail != "" && !customers.ValidEmail(c.ContactEmail) {
		errs = append(errs, invalid("/contact_email", "This is no e-mail address."))
	}
	return joinFields(append(errs, countryField(c.Country), zoneField(c.Zone)))
}

// Rules are the rules in use, with how they came: the SHA-256 of the pack and
// since when it is known; zero is from the beginning. Permission: incident.read.
func (s *Service) Rules(ctx context.Context, _ policy.Scope) (p law.Pack, sum string, since time.Time, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := ruleRows(tx)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			data := law.ShippedJSON()
			sum = digest(data)
			p, err = law.Parse(data)
			return err
		}
		r := rows[len(rows)-1]
		sum, since = r.SHA256, controlplane.FromMillis(r.FromAt)
		p, err = law.Parse([]byte(r.Data))
		return err
	})
	return p, sum, since, wrap("rules", err)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// LoadRules puts another pack into use, whole: from now on its rules are what is
// known of the law, also of triggers from before; which of them counts goes by when
// each was in force. Open cases are counted anew; what was known before stays so
// (AsKnown). It is entered in the ledger with its version and SHA-256. The same pack
// again changes nothing. Permission: incident.admin. Errors: invalid for what is no pack.
func (s *Service) LoadRules(ctx context.Context, scope policy.Scope, pack []byte) (p law.Pack, err error) {
	if !scope.All() {
		return p, controlplane.NotFound("page")
	}
	if len(pack) > maxPack {
		return p, invalid("/pack", "At most 48 KB.")
	}
	if p, err = law.Parse(pack); err != nil {
		return law.Pack{}, invalid("/pack", "This is no pack of rules: "+err.Error()+".")
	}
	if len(p.Rules) == 0 {
		return law.Pack{}, invalid("/pack", "It has no rule.")
	}
	if err := s.ready(ctx); err != nil {
		return law.Pack{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.ensureRules(tx); err != nil {
			return err
		}
		rows, err := ruleRows(tx)
		if err != nil || len(rows) > 0 && rows[len(rows)-1].SHA256 == digest(pack) {
			return err
		}
		return s.useRules(tx, p, pack, false, tx.NowMillis())
	})
	return p, wrap("load rules", err)
}

// useRules stores a pack, and counts open cases by it.
func (s *Service) useRules(tx *db.Tx, p law.Pack, data []byte, shipped bool, from int64) error {
	row := rulesRow{Pack: p.Version, SHA256: digest(data), Shipped: flag(shipped), FromAt: from, LoadedAt: tx.NowMillis(), ByID: actorOf(tx.Context()).ID, Data: string(data)}
	if err := insertRules(tx, row); err != nil {
		return err
	}
	if err := s.enter(tx, "", "incident.rules", map[string]any{"pack": p.Version, "sha256": row.SHA256, "shipped": shipped, "from": controlplane.Instant(controlplane.FromMillis(from)), "rules": string(data)}, nil); err != nil {
		return err
	}
	return s.recountAll(tx, "")
}

// ensureRules stores the rules that came with this version, where the company has
// loaded none of its own: a later version's are known from when they came.
func (s *Service) ensureRules(tx *db.Tx) error {
	rows, err := ruleRows(tx)
	if err != nil {
		return err
	}
	data := law.ShippedJSON()
	from := tx.NowMillis()
	if len(rows) == 0 {
		from = 0
	}
	for _, r := range rows {
		if r.Shipped == 0 || r.SHA256 == digest(data) {
			return nil
		}
	}
	p, err := law.Parse(data)
	if err != nil {
		return err
	}
	return s.useRules(tx, p, data, true, from)
}
