package backups

import (
	"strconv"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Templates of mail.
const (
	mailReady    = "restore.ready"
	mailPlaced   = "restore.placed"
	mailFailed   = "restore.failed"
	mailAnswered = "ask.answered"
)

// tell has a mail sent that a restore is ready or has failed, where the person
// asked for it; until is when what it tells of ends. The mail names no file.
func (s *Service) tell(tx *db.Tx, row restoreRow, until time.Time) error {
	if row.MailMe == 0 {
		return nil
	}
	l := Letter{Key: mailReady + ":" + row.ID, Template: mailReady, Path: "/restores/" + row.ID, Subject: row.ID, Args: map[string]string{}}
	server, as := row.ServerID, "server"
	onServer, failed := RestoreKind(row.Kind).OnServer(), RestoreState(row.State) == RestoreFailed
	if onServer {
		server, l.Template = row.TargetServerID, mailPlaced
	}
	switch {
	case failed:
		l.Key, l.Template = mailFailed+":"+row.JobID, mailFailed
		if onServer {
			as = "target"
		}
	case until.UnixMilli() > 0:
		zone, err := s.zoneOf(tx, row.CustomerID)
		if err != nil {
			return err
		}
		l.Args["until"] = until.In(zone).Format("2 January 15:04 MST")
	}
	n, err := leftOut(row)
	if err != nil {
		return err
	}
	if n > 0 && !failed {
		l.Args["missing"] = strconv.FormatInt(n, 10)
	}
	if l.Args[as], err = s.serverName(tx, server); err != nil {
		return err
	}
	return s.write(tx, row.CustomerID, row.CreatedBy, l)
}

// leftOut is how much of what was asked for a restore has not: what the store
// could not give, and what the server refused.
func leftOut(row restoreRow) (int64, error) {
	t, err := tally(row.Result)
	if err != nil || t == nil {
		return row.MissingCount, err
	}
	return row.MissingCount + t.Counts[wire.ActRefuse], nil
}

// zoneOf is the time zone of a customer's people.
func (s *Service) zoneOf(tx *db.Tx, customer string) (*time.Location, error) {
	c, err := s.customers.CustomerIn(tx, policy.AllCustomers("the zone of a restore's customer"), customer)
	if err != nil {
		return nil, err
	}
	return time.LoadLocation(c.Zone)
}

// write has a letter sent to a contact's own address. Staff, and who is no
// contact any more, are written to by nobody.
func (s *Service) write(tx *db.Tx, customer, contact string, l Letter) error {
	if s.mail == nil || !controlplane.ValidID(controlplane.PrefixContact, contact) {
		return nil
	}
	c, err := s.customers.ContactIn(tx, policy.OneCustomer(customer), contact)
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound || err == nil && !c.RemovedAt.IsZero() {
		return nil
	}
	if err != nil {
		return err
	}
	l.Customer, l.Person, l.To, l.Name, l.Lang = customer, c.ID, c.Email, c.Name, c.Language
	return s.mail.Enqueue(tx, l)
}
