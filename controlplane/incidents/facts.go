package incidents

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// CaseFactKeys are what authorities ask of a case beside the facts of Article
// 33(3), in their order: who discovered it and how, whether special categories of
// data are touched, whether the data was encrypted, whether the staff involved had
// been trained within two years, what should have prevented it, which other
// processors are involved, and whether the police, other regulators, or
// authorities abroad were told.
func CaseFactKeys() []string {
	return []string{"discovered", "special_categories", "encrypted", "training", "prevention", "processors", "police", "regulators", "overseas"}
}

// caseFactNames are the facts of a case as registers and reports name them.
var caseFactNames = map[string]string{"discovered": "Discovered", "special_categories": "Special categories of data", "encrypted": "Encrypted", "training": "Trained within two years", "prevention": "In place to prevent it",
	"processors": "Other processors", "police": "The police", "regulators": "Other regulators", "overseas": "Authorities abroad"}

// checkFact makes a fact of a case that somebody wrote one that can be kept. One
// that nobody has written is Empty, and takes what was written away.
func (s *Service) checkFact(tx *db.Tx, at string, f Field) (Field, error) {
	if !slices.Contains(CaseFactKeys(), f.Key) {
		return f, invalid(at+"/key", "There is no such fact of a case.")
	}
	out := Field{Key: f.Key, Known: f.Known}
	switch f.Known {
	case Empty:
	case IsKnown:
		if out.Value = plainText(f.Value); out.Value == "" {
			return f, invalid(at+"/value", "Say what is known, or that it is not.")
		}
		if len([]rune(out.Value)) > maxField {
			return f, invalid(at+"/value", fmt.Sprintf("At most %d characters.", maxField))
		}
	case IsUnknown:
		if out.Owner = strings.TrimSpace(f.Owner); !controlplane.ValidID(controlplane.PrefixStaff, out.Owner) {
			return f, invalid(at+"/owner", "Say which of our people finds it out.")
		}
		if _, err := s.identity.NameIn(tx, out.Owner); controlplane.ErrorCode(err) == controlplane.CodeNotFound {
			return f, invalid(at+"/owner", "Say which of our people finds it out.")
		} else if err != nil {
			return f, err
		}
		if out.By = f.By.UTC().Truncate(time.Millisecond); f.By.IsZero() || !f.By.After(tx.Now) {
			return f, invalid(at+"/by", "Say until when, at a time to come.")
		}
	default:
		return f, invalid(at+"/known", "Say whether it is known, or unknown: it is no range.")
	}
	return out, nil
}

// applyFacts writes facts into a case, each in place of that of its key, and names
// those that changed.
func (s *Service) applyFacts(tx *db.Tx, d *caseData, facts []Field) (changed []string, err error) {
	var errs []error
	seen := map[string]bool{}
	for i, f := range facts {
		at := fmt.Sprint("/facts/", i)
		if seen[f.Key] {
			errs = append(errs, invalid(at+"/key", "This fact stands here twice."))
			continue
		}
		seen[f.Key] = true
		was := d.fact(f.Key)
		if f.Known == IsUnknown && f.Owner == was.Owner && f.By.Equal(was.By) {
			continue // what is overdue still stands
		}
		f, err := s.checkFact(tx, at, f)
		if errs = append(errs, err); err != nil || f == was {
			continue
		}
		d.setFact(f)
		changed = append(changed, "facts/"+f.Key)
	}
	return changed, joinFields(errs)
}

// fact is what is known of a fact of the case.
func (d *caseData) fact(key string) Field { return factOf(d.Facts, key) }

func factOf(facts []Field, key string) Field {
	if f := fieldOf(facts, key); f != nil {
		return *f
	}
	return Field{Key: key}
}

// setFact writes a fact; the facts are in their order.
func (d *caseData) setFact(f Field) {
	var out []Field
	for _, key := range CaseFactKeys() {
		x := d.fact(key)
		if key == f.Key {
			x = f
		}
		if x.Known != Empty {
			out = append(out, x)
		}
	}
	d.Facts = out
}

// widenFacts has a case know what another one knew that goes on in it: what both
// knew is said by both, and what only one knew is known.
func (d *caseData) widenFacts(was caseData) {
	for _, f := range was.Facts {
		own := d.fact(f.Key)
		switch {
		case own.Known == Empty || own.Known == IsUnknown && f.Known == IsKnown:
			d.setFact(f)
		case own.Known == IsKnown && f.Known == IsKnown && own.Value != f.Value:
			own.Value = cut(own.Value+"\n"+f.Value, maxField)
			d.setFact(own)
		}
	}
}

// allFacts are the facts of a case, also those that nobody has written.
func allFacts(facts []Field) []Field {
	out := make([]Field, len(CaseFactKeys()))
	for i, key := range CaseFactKeys() {
		out[i] = factOf(facts, key)
	}
	return out
}
