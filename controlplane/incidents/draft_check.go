package incidents

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// Keys of checks.
const (
	checkContact  = "contact"
	checkDelay    = "delay"
	checkKnown    = "field." // and the key
	checkTo       = "recipient"
	checkStranger = "other_customer"
	checkChannel  = "channel"
	checkSecond   = "second"
	checkText     = "text"
)

// Preview shows a notice as it would be sent, to whom, and what to look at first.
// Permission: incident.write.
func (s *Service) Preview(ctx context.Context, scope policy.Scope, id string) (p Preview, err error) {
	if !scope.All() {
		return p, notStaff()
	}
	others, err := s.writers(ctx, actorOf(ctx).ID)
	if err != nil {
		return p, wrap("preview", err)
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		p = Preview{}
		r, err := noticeIn(tx, scope, id)
		if err != nil {
			return err
		}
		n, d, err := s.openNotice(r)
		if err != nil {
			return err
		}
		k, err := s.kitOf(tx, r)
		if err != nil {
			return err
		}
		var out rendered
		if n.State == Draft || n.State == Waiting {
			if n.DueAt.IsZero() {
				n.DueAt = k.due(n)
			}
			if n, out, err = k.write(n, d, tx.Now); err != nil {
				return err
			}
		}
		p.Notice = n
		if p.Checks, err = k.checks(n, out, tx.Now); err != nil {
			return err
		}
		if n.Audience == ToCustomer {
			if err := s.previewRecipients(tx, r, &p); err != nil {
				return err
			}
			p.Checks = append(p.Checks, k.channel(r)...)
			if c, ok := secondCheck(r, others, actorOf(ctx).ID); ok {
				p.Checks = append(p.Checks, c)
			}
		}
		return nil
	})
	return p, wrap("preview", err)
}

// checks are what to look at before a notice is sent.
func (k *kit) checks(n Notice, out rendered, now time.Time) (list []Check, err error) {
	list = k.stops(n, out)
	if due := k.lateBy(n, now); due > 0 && n.lateReasons() == "" {
		list = append(list, Check{Key: checkDelay, Text: "It is late. Say why it took longer: it stands in the notice."})
	}
	w, err := wordsFor(n.Regime, "en")
	if err != nil {
		return nil, err
	}
	for _, f := range n.Fields {
		if f.Known == Empty && f.Key != "delay" && f.Key != "contact" {
			list = append(list, Check{Key: checkKnown + f.Key, Text: fmt.Sprintf("%s: nobody has written anything. It can go out so, and says that it is not known yet.", w.line("field."+f.Key, nil))})
		}
	}
	return list, nil
}

// stops are the checks that nothing may be sent against: there is nobody to ask,
// it is no text, or it names another customer.
func (k *kit) stops(n Notice, out rendered) (list []Check) {
	if k.contact() == "" {
		list = append(list, Check{Key: checkContact, Stops: true, Text: "Nobody is named whom they can ask. Write down who we are to the law first: a contact has to stand in every notice."})
	}
	if out.text == "" && (n.State == Draft || n.State == Waiting) || len([]rune(out.text)) > maxText {
		list = append(list, Check{Key: checkText, Stops: true, Text: fmt.Sprintf("Its text is empty, or longer than %d characters. Shorten what was written.", maxText)})
	}
	if n.Customer == "" {
		return list
	}
	for _, x := range k.names.strangers(n.Customer, out.own...) {
		c := Check{Key: checkStranger, Stops: !x.plain, Text: fmt.Sprintf("It names %q, which is another customer, or a server, a site or a database that is not theirs. Take it out: a notice holds the recipient's data only.", x.name)}
		if x.plain {
			c.Text = fmt.Sprintf("%q is the name of another customer, or of something of theirs, and an ordinary word too. Look whether it is meant as a name.", x.name)
		}
		list = append(list, c)
	}
	return list
}

// lateBy is by how long a notice is late; 0 is not.
func (k *kit) lateBy(n Notice, now time.Time) time.Duration {
	if n.DueAt.IsZero() || !now.After(n.DueAt) {
		return 0
	}
	return now.Sub(n.DueAt)
}

// channel says that mail carries no content.
func (k *kit) channel(r noticeRow) []Check {
	if r.Unsafe == 0 && !k.c.ChannelUnsafe {
		return nil
	}
	return []Check{{Key: checkChannel, Text: "The usual channel may be read by others: the mail says only that there is something. Call them, and write down whom you spoke to."}}
}

// secondCheck says who is asked before it goes out.
func secondCheck(r noticeRow, others []identity.Person, actor string) (Check, bool) {
	switch {
	case r.State != string(Draft) && r.State != string(Waiting), r.Author != actor:
		return Check{}, false
	case len(others) == 0:
		return Check{Key: checkSecond, Text: "There is nobody else who could look at it: it goes out at once."}, true
	case r.Purpose == string(First):
		return Check{Key: checkSecond, Text: "Another person is asked to look at it first. If nobody answers within an hour, it goes out in your name."}, true
	}
	return Check{Key: checkSecond, Text: "Another person has to look at it first."}, true
}

// previewRecipients are who is written to first, and who is next.
func (s *Service) previewRecipients(tx *db.Tx, r noticeRow, p *Preview) error {
	if r.SentAt > 0 {
		tries, err := s.triesIn(tx, r.ID)
		p.Recipients = tries
		return err
	}
	owners, err := s.owners(tx, r.CustomerID)
	if err != nil {
		return err
	}
	for _, c := range owners {
		p.Recipients = append(p.Recipients, Try{Contact: c.ID, Name: c.Name, How: "mail"})
	}
	if len(owners) == 0 {
		p.Checks = append(p.Checks, Check{Key: checkTo, Text: "They have no owner among their contacts: nobody can be written to, and a person has to call them."})
	}
	return nil
}

// triesIn are the tries of a notice, opened.
func (s *Service) triesIn(tx *db.Tx, notice string) ([]Try, error) {
	rows, err := triesOf(tx, notice)
	if err != nil {
		return nil, err
	}
	out := make([]Try, len(rows))
	for i, r := range rows {
		if out[i], err = s.openTry(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// owners are the contacts who are told of incidents, the longest there first.
func (s *Service) owners(tx *db.Tx, customer string) ([]customers.Contact, error) {
	contacts, err := s.customers.ContactsIn(tx, policy.OneCustomer(customer), customer, false)
	return slices.DeleteFunc(contacts, func(c customers.Contact) bool { return c.Role != policy.RoleOwner }), err
}

// writers are the people of ours who may send notices, but for one.
func (s *Service) writers(ctx context.Context, but string) ([]identity.Person, error) {
	staff, err := s.identity.People(asSystem(ctx), everyone(), identity.PeopleFilter{Kind: controlplane.ActorStaff})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(staff, func(p identity.Person) bool {
		return !p.Active || p.ID == but || !slices.Contains(policy.Permissions(p.Role), policy.IncidentWrite)
	}), nil
}
