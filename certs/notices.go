package certs

import (
	"context"
	"strconv"
	"time"

	"ostler/certs/renewal"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// Templates of mail.
const (
	mailExpiring = "certificate.expiring" // args names, days, server, until, because
	mailExpired  = "certificate.expired"  // args names, server, until, because
)

// notice tells people of a certificate that ends soon: no CA does any more.
// contacts are those of its customer. The caller saves the row.
func (s *Service) notice(tx *db.Tx, cert *certRow, contacts []person) error {
	c := cert.installed()
	days, ok := renewal.Notice(c, int(cert.Noticed), tx.Now)
	left := c.NotAfter.Sub(tx.Now)
	if !ok && left > 0 || cert.IssuedRound == 0 {
		cert.NoticeAt = controlplane.Millis(renewal.NextNotice(c, int(cert.Noticed)))
		return nil
	}
	over := left <= 0
	if over {
		days = 0
		if cert.State == string(StateExpired) {
			cert.NoticeAt = 0
			return nil
		}
		cert.State, cert.NoticeAt = string(StateExpired), 0
		if err := s.note(tx, *cert, "certificate.expired", map[string]any{"serial": cert.Serial}); err != nil {
			return err
		}
	} else {
		cert.Noticed = int64(days)
		if cert.NoticeAt = controlplane.Millis(renewal.NextNotice(c, days)); cert.NoticeAt == 0 {
			cert.NoticeAt = cert.NotAfter // its end
		}
	}
	return s.tell(tx, *cert, days, over, contacts)
}

// tell raises the finding and writes to the customer's owners.
func (s *Service) tell(tx *db.Tx, cert certRow, days int, over bool, contacts []person) error {
	why, err := decode[Why](cert.Why)
	if err != nil {
		return err
	}
	if why.Code == "" {
		why.Code = WhyInLine
		if cert.PausedUntil > tx.NowMillis() {
			why = Why{Code: WhyPaused, Until: controlplane.FromMillis(cert.PausedUntil), Args: pausedArgs(cert)}
		}
	}
	cause, _ := why.Text("en")
	names, err := cert.names()
	if err != nil {
		return err
	}
	srv, err := s.customers.ServerIn(tx, forAttempts(), cert.ServerID)
	if err != nil {
		return err
	}
	args := map[string]string{"because": cause}
	severity, template := findings.Warn, mailExpiring
	if !over {
		args["for"] = findings.Ago("en", controlplane.FromMillis(cert.NotAfter).Sub(tx.Now))
	}
	if over || days <= 3 {
		severity = findings.Bad
	}
	if over {
		template = mailExpired
	}
	if err := s.raise(tx, cert, findings.CertExpiring, severity, findings.Ops, args); err != nil {
		return err
	}
	if s.mail == nil {
		return nil
	}
	for _, p := range contacts {
		l := Letter{Key: template + ":" + cert.ID + ":" + cert.Serial + ":" + strconv.Itoa(days) + ":" + p.ID, Customer: cert.CustomerID, Person: p.ID, To: p.Email, Name: p.Name,
			Template: template, Lang: p.Language, Path: "/certificates/" + cert.ID, Subject: cert.ID,
			Args: map[string]string{"names": label(names), "server": srv.Name, "until": untilWords(cert.NotAfter, p.Zone), "because": cause}}
		if !over {
			l.Args["days"] = strconv.Itoa(days)
		}
		if err := s.mail.Enqueue(tx, l); err != nil {
			return err
		}
	}
	return nil
}

func untilWords(ms int64, zone *time.Location) string {
	return controlplane.FromMillis(ms).In(zone).Format("2 January 15:04")
}

// person is who is told.
type person struct {
	ID, Email, Name, Language string
	Zone                      *time.Location
}

// people are the owners among a customer's contacts.
func (s *Service) people(ctx context.Context, customer string) ([]person, error) {
	if s.mail == nil {
		return nil, nil
	}
	scope := policy.OneCustomer(customer)
	c, err := s.customers.GetCustomer(ctx, scope, customer)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		zone = time.UTC
	}
	contacts, err := s.customers.ListContacts(ctx, scope, customer)
	if err != nil {
		return nil, err
	}
	var out []person
	for _, p := range contacts {
		if p.Role == policy.RoleOwner && p.RemovedAt.IsZero() {
			out = append(out, person{ID: p.ID, Email: p.Email, Name: p.Name, Language: p.Language, Zone: zone})
		}
	}
	return out, nil
}
