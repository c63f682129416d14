package access

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Facility is a place where servers stand.
type Facility struct {
	ID, Name, Country string // fac_
	// Location is how servers' locations begin that stand here ("Falkenstein 2").
	Location     string
	Certificates []FacilityPaper
	Controls     string // photo ID, biometric, CCTV, alarm: in a sentence
	Version      int64
}

// FacilityPaper is a certificate of a facility (ISO 27001 ...).
type FacilityPaper struct {
	Name      string    `json:"name"`
	Number    string    `json:"number"`
	Until     time.Time `json:"until"`
	Reference string    `json:"reference"` // where the certificate is kept
}

// papersBefore is how long before its end a facility's certificate is a finding.
const papersBefore = 30 * 24 * time.Hour

// stands reports whether a server of this location stands in the facility and,
// where rack is not "", in that rack. Locations are "facility, room, rack".
func (f Facility) stands(location, rack string) bool {
	parts := placeParts(location)
	for _, p := range placeParts(f.Location) {
		if len(parts) == 0 || parts[0] != p {
			return false
		}
		parts = parts[1:]
	}
	return rack == "" || slices.Contains(parts, rackOf(rack))
}

// placeParts are the parts of a location, as they are compared.
func placeParts(location string) (parts []string) {
	for p := range strings.SplitSeq(location, ",") {
		if p = rackOf(p); p != "" {
			parts = append(parts, p)
		}
	}
	return parts
}

// rackOf is a part of a location without the word for what it is.
func rackOf(s string) string {
	s = strings.ToLower(strings.Join(strings.Fields(s), " "))
	return strings.TrimPrefix(s, "rack ")
}

// PutFacility makes or changes a facility. Permission: access.write over all
// customers. Errors: invalid with fields, conflict where it was changed since.
func (s *Service) PutFacility(ctx context.Context, scope policy.Scope, f Facility) (Facility, error) {
	if err := overAll(scope); err != nil {
		return Facility{}, err
	}
	if err := f.check(); err != nil {
		return Facility{}, err
	}
	if err := s.keyAll(ctx); err != nil {
		return Facility{}, err
	}
	papers, err := json.Marshal(f.Certificates)
	if err != nil {
		return Facility{}, wrap("put facility", err)
	}
	var out Facility
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r := facilityRow{ID: controlplane.NewID(controlplane.PrefixFacility), CreatedAt: tx.NowMillis()}
		if f.ID != "" {
			if r, err = facilityByID(tx, f.ID); err != nil {
				return err
			}
			if err := changedSince(f.Version, r.Version); err != nil {
				return err
			}
		}
		r.Name, r.Country, r.Location, r.Certificates, r.Controls = f.Name, f.Country, f.Location, string(papers), f.Controls
		r.Version, r.UpdatedAt = r.Version+1, tx.NowMillis()
		if err := db.Upsert(tx, &r, "id"); err != nil {
			return err
		}
		if out, err = r.value(); err != nil {
			return err
		}
		if err := s.facilityPapers(tx, out); err != nil {
			return err
		}
		if err := s.settleEntries(tx, "facility_id = ?", r.ID); err != nil {
			return err
		}
		return s.note(tx, ledger.Entry{Subject: r.ID, Kind: "facility.changed", Data: map[string]any{"name": r.Name, "country": r.Country, "location": r.Location,
			"certificates": len(f.Certificates), "controls": r.Controls}})
	})
	return out, wrap("put facility", err)
}

func (f *Facility) check() error {
	var c inputs
	f.Name = c.line("/name", f.Name, maxName, "Enter a name.")
	f.Location = c.line("/location", f.Location, maxName, "Enter how the locations of the servers begin that stand there.")
	f.Controls = c.line("/controls", f.Controls, maxReason, "")
	f.Country = strings.ToUpper(strings.TrimSpace(f.Country))
	if len(f.Country) != 2 || strings.Trim(f.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		c.add("/country", "Enter the country's two letters, such as DE.")
	}
	if len(f.Certificates) > maxNames {
		c.add("/certificates", fmt.Sprintf("These are too many: at most %d.", maxNames))
	}
	f.Certificates = slices.Clone(f.Certificates)
	for i := range f.Certificates {
		p, at := &f.Certificates[i], fmt.Sprintf("/certificates/%d", i)
		p.Name = c.line(at+"/name", p.Name, maxShort, "Enter what it certifies, such as ISO 27001.")
		p.Number = c.line(at+"/number", p.Number, maxShort, "")
		p.Reference = c.line(at+"/reference", p.Reference, maxShort, "")
		if p.Until.IsZero() {
			c.add(at+"/until", "Enter until when it is good.")
		}
	}
	return c.err()
}

// Facilities lists facilities by name; a customer sees those where their servers
// stand. Permission: access.read.
func (s *Service) Facilities(ctx context.Context, scope policy.Scope) (out []Facility, err error) {
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		all, err := facilities(tx)
		if err != nil || scope.All() {
			out = all
			return err
		}
		hosts, err := s.hostsOf(tx, scope)
		if err != nil {
			return err
		}
		for _, f := range all {
			if slices.ContainsFunc(hosts, func(h host) bool { return f.stands(h.Location, "") }) {
				out = append(out, f)
			}
		}
		return nil
	})
	return out, wrap("facilities", err)
}

// facilityPapers raises a finding for each certificate that ends within thirty
// days, and closes those of others. One that another of its name outlives counts
// no more.
func (s *Service) facilityPapers(tx *db.Tx, f Facility) error {
	latest := map[string]time.Time{}
	for _, p := range f.Certificates {
		if p.Until.After(latest[p.Name]) {
			latest[p.Name] = p.Until
		}
	}
	key := findings.AccessFacilityPaper + ":" + f.ID
	worst := time.Time{}
	name := ""
	for _, p := range f.Certificates {
		if until := latest[p.Name]; until.Sub(tx.Now) <= papersBefore && (name == "" || until.Before(worst)) {
			name, worst = p.Name, until
		}
	}
	if name == "" {
		return s.findings.Close(tx, key, "no certificate of the facility ends soon")
	}
	args := map[string]string{"what": name, "where": f.Name}
	severity := findings.Bad
	if left := worst.Sub(tx.Now); left > 0 {
		args["for"], severity = findings.Ago("en", left), findings.Warn
	}
	return s.findings.Raise(tx, findings.Finding{Key: key, Subject: f.ID, Kind: findings.AccessFacilityPaper, Severity: severity, Owner: findings.Ops, Args: args,
		Link: "/access/facilities/" + f.ID})
}
