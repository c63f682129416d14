package secrets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// holdFor is how long a hold on the keys lasts without a sign of life. Calls of
// Vault may be longer: it is extended while they last.
const holdFor = 15 * time.Second

// MoveOptions are the outside of Move.
type MoveOptions struct {
	// Holder names the process that moves, for others who would too: a machine
	// and a process id.
	Holder string
	// Step is told of each value that is moved and, before, of what was done
	// with it ("wrapped", "stored"); nil is nobody. It must not block.
	Step func(what string)
	// Renew is how often the hold is extended while Vault is asked; 0 is as often
	// as it needs.
	Renew time.Duration
}

// MoveReport says what a move did.
type MoveReport struct {
	To                HomeName
	Keys, Credentials int // moved now
	Elsewhere         int // left where they were: destroyed or changed meanwhile
	// Erased are credentials of customers who were erased: nobody can open them,
	// and there is nothing to move.
	Erased int
	// Left are those that could not be moved. The next Move tries them again.
	Left []Left
}

var errLost = errors.New("secrets: another process holds the keys now")

// Move has new keys go to a home and brings every data key and credential
// there. Each value is opened from its new home, and compared, before the old
// form is given up in one transaction with its entry in the ledger. Whenever it
// is stopped, every value is whole in one home, and the next Move goes on. A
// value that cannot be moved keeps back no other: see MoveReport.Left. Two at
// once: one holds the keys, the other gets a conflict that says who.
//
// Errors: conflict while somebody else moves; a controlplane.Error where Vault
// does not do its part.
func (k *Keeper) Move(ctx context.Context, to HomeName, o MoveOptions) (MoveReport, error) {
	report := MoveReport{To: to}
	if !to.Valid() {
		return report, fmt.Errorf("secrets: move: there is no home %q", to)
	}
	h := k.homes[to]
	if h == nil {
		return report, noVault()
	}
	if o.Step == nil {
		o.Step = func(string) {}
	}
	ctx = controlplane.System(ctx, "secrets")
	epoch, err := k.hold(ctx, o.Holder)
	if err != nil {
		return report, err
	}
	m := &mover{k: k, to: to, o: o, epoch: epoch, report: &report}
	err = m.run(ctx, h)
	if end := k.d.Write(context.WithoutCancel(ctx), func(tx *db.Tx) error { return endHold(tx, epoch) }); err == nil && end != nil {
		err = end
	}
	if errors.Is(err, errLost) {
		return report, controlplane.Errorf(controlplane.CodeConflict, "See who: ostler secrets status. Then run it again; what was moved stays moved.",
			"Another process holds the keys now").Because(err)
	}
	if err != nil {
		return report, fmt.Errorf("secrets: move: %w", err)
	}
	return report, nil
}

// hold takes the keys for one process that changes where they are.
func (k *Keeper) hold(ctx context.Context, holder string) (epoch int64, err error) {
	if holder == "" {
		return 0, fmt.Errorf("secrets: hold: nobody is named")
	}
	err = k.d.Write(ctx, func(tx *db.Tx) error {
		r, err := homeOf(tx)
		if err != nil {
			return err
		}
		if r.Holder != "" && r.LeaseUntil > tx.NowMillis() {
			return controlplane.Errorf(controlplane.CodeConflict,
				fmt.Sprintf("Wait until it is done. If that process is gone, its hold ends at %s UTC.", controlplane.FromMillis(r.LeaseUntil).Format("15:04:05")),
				"The keys are held by %s, since %s UTC", r.Holder, controlplane.FromMillis(r.StartedAt).Format("15:04:05"))
		}
		r.Epoch, r.Holder, r.StartedAt, r.LeaseUntil = r.Epoch+1, holder, tx.NowMillis(), tx.Now.Add(holdFor).UnixMilli()
		epoch = r.Epoch
		return saveHome(tx, r)
	})
	return epoch, err
}

// stillHeld extends a hold in the transaction that relies on it.
func stillHeld(tx *db.Tx, epoch int64) error {
	ok, err := extendHold(tx, epoch, tx.Now.Add(holdFor))
	if err == nil && !ok {
		err = errLost
	}
	return err
}

// mover is one run of Move.
type mover struct {
	k      *Keeper
	to     HomeName
	o      MoveOptions
	epoch  int64
	report *MoveReport
	erased map[string]bool // customers whose keys were destroyed
}

func (m *mover) run(ctx context.Context, h Home) error {
	if err := m.k.holding(ctx, m.epoch, m.o.Renew, h.Check); err != nil {
		return err // before anything goes there
	}
	if err := m.turn(ctx); err != nil {
		return err
	}
	for {
		moved := m.report.Keys + m.report.Credentials
		m.report.Elsewhere, m.report.Erased, m.report.Left = 0, 0, nil
		if err := m.keys(ctx); err != nil {
			return err
		}
		if err := m.credentials(ctx); err != nil {
			return err
		}
		if m.report.Keys+m.report.Credentials == moved {
			break // also nothing that came meanwhile
		}
	}
	return m.k.d.Write(ctx, func(tx *db.Tx) error {
		if err := stillHeld(tx, m.epoch); err != nil {
			return err
		}
		return m.k.note(tx, "secrets.moved", map[string]any{"to": string(m.to), "keys": m.report.Keys, "credentials": m.report.Credentials,
			"left": len(m.report.Left)})
	})
}

// turn has new keys go to the new home from now on.
func (m *mover) turn(ctx context.Context) error {
	return m.k.d.Write(ctx, func(tx *db.Tx) error {
		if err := stillHeld(tx, m.epoch); err != nil {
			return err
		}
		r, err := homeOf(tx)
		if err != nil || r.Home == string(m.to) {
			return err
		}
		from := r.Home
		r.Home = string(m.to)
		if err := saveHome(tx, r); err != nil {
			return err
		}
		return m.k.note(tx, "secrets.move_started", map[string]any{"from": from, "to": string(m.to)})
	})
}

func (m *mover) keys(ctx context.Context) error {
	rows, err := readDataKeys(ctx, m.k.d, nil)
	if err != nil {
		return err
	}
	m.erased = map[string]bool{}
	for _, r := range rows {
		m.erased[r.CustomerID] = m.erased[r.CustomerID] || r.DestroyedAt != 0
		if r.DestroyedAt != 0 || r.Home == string(m.to) {
			continue
		}
		if err := m.leave(ctx, Left{fmt.Sprintf("data key %d", r.Version), r.CustomerID, m.key(ctx, r)}); err != nil {
			return err
		}
	}
	return nil
}

// leave notes a value that could not be moved; what stands in the way of all
// values ends the move.
func (m *mover) leave(ctx context.Context, l Left) error {
	if l.Err == nil {
		return nil
	}
	if whole(ctx, l.Err) {
		return fmt.Errorf("%s: %w", l, l.Err)
	}
	m.k.log.WarnContext(ctx, "secrets.left", "what", l.What, "customer", l.Customer, "error", l.Err)
	m.report.Left = append(m.report.Left, l)
	return nil
}

// key moves one data key.
func (m *mover) key(ctx context.Context, r dataKeyRow) error {
	var wrapped []byte
	err := m.k.holding(ctx, m.epoch, m.o.Renew, func(ctx context.Context) error {
		key, err := m.k.unwrapKey(ctx, r)
		if err != nil {
			return err
		}
		wrapped, err = m.k.rewrap(ctx, m.to, r, key)
		return err
	})
	if err != nil {
		return err
	}
	m.o.Step("wrapped")
	err = m.k.d.Write(ctx, func(tx *db.Tx) error {
		if err := stillHeld(tx, m.epoch); err != nil {
			return err
		}
		ok, err := rewrapDataKey(tx, r, m.to, wrapped)
		if err != nil || !ok {
			return errors.Join(err, skipUnless(ok))
		}
		return m.k.note(tx, "secrets.key_moved", map[string]any{"customer": r.CustomerID, "version": r.Version, "from": r.Home, "to": string(m.to)})
	})
	return m.count(err, &m.report.Keys, "key")
}

// errSkip says that a value changed while it was moved: it is looked at again.
var errSkip = errors.New("secrets: changed meanwhile")

func skipUnless(ok bool) error {
	if ok {
		return nil
	}
	return errSkip
}

func (m *mover) count(err error, moved *int, what string) error {
	switch {
	case errors.Is(err, errSkip):
		m.report.Elsewhere++
		return nil
	case err != nil:
		return err
	}
	*moved++
	m.o.Step(what)
	return nil
}

func (m *mover) credentials(ctx context.Context) error {
	var list []sourced
	err := m.k.d.Read(ctx, func(tx *db.Tx) (err error) {
		list, err = m.k.listCredentials(tx)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range list {
		if c.home() == m.to {
			continue
		}
		if m.erased[c.Customer] {
			m.report.Erased++
			continue
		}
		err := m.credential(ctx, c)
		if errors.Is(err, ErrErased) { // meanwhile
			m.report.Erased++
			continue
		}
		if err := m.leave(ctx, Left{"credential " + credentialName(c.AD), c.Customer, err}); err != nil {
			return err
		}
	}
	return nil
}

// credential moves one credential.
func (m *mover) credential(ctx context.Context, c sourced) error {
	var fields, proof map[string]string
	var stored []byte
	err := m.k.holding(ctx, m.epoch, m.o.Renew, func(ctx context.Context) (err error) {
		if fields, err = m.k.Credential(ctx, c.Customer, c.AD, c.Stored); err != nil {
			return err
		}
		if m.to == HomeVault {
			stored, err = m.k.putCredential(ctx, c.Customer, c.AD, fields)
		} else if err = m.k.EnsureKey(ctx, c.Customer); err == nil {
			stored, err = m.k.sealCredential(c.Customer, c.AD, fields)
		}
		return err
	})
	if err != nil {
		return err
	}
	m.o.Step("stored")
	err = m.k.holding(ctx, m.epoch, m.o.Renew, func(ctx context.Context) (err error) {
		proof, err = m.k.Credential(ctx, c.Customer, c.AD, stored)
		return err
	})
	if err != nil {
		return err
	}
	if !maps.Equal(proof, fields) {
		return ErrOpen
	}
	err = m.k.d.Write(ctx, func(tx *db.Tx) error {
		if err := stillHeld(tx, m.epoch); err != nil {
			return err
		}
		ok, err := c.source.ExchangeCredential(tx, allCredentials, c.StoredCredential, stored)
		if err != nil || !ok {
			return errors.Join(err, skipUnless(ok))
		}
		if err := m.k.ForgetCredential(tx, c.Customer, c.AD, c.Stored); err != nil {
			return err
		}
		return m.k.note(tx, "secrets.credential_moved", map[string]any{"credential": credentialName(c.AD), "customer": c.Customer, "to": string(m.to)})
	})
	return m.count(err, &m.report.Credentials, "credential")
}

// Check tries all that a home is needed for.
func (k *Keeper) Check(ctx context.Context, home HomeName) error {
	h := k.homes[home]
	if h == nil {
		return noVault()
	}
	return h.Check(ctx)
}

// Status says where keys and credentials are.
type Status struct {
	Active      HomeName
	Keys        map[HomeName]int
	Credentials map[HomeName]int
	Behind      int       // credentials of living customers that are not in the active home
	Removals    int       // to be destroyed in Vault, due or not
	Holder      string    // who moves keys now, "" for nobody
	HeldUntil   time.Time // without a further sign of life
}

// Status reads where keys and credentials are.
func (k *Keeper) Status(ctx context.Context) (s Status, err error) {
	err = k.d.Read(controlplane.System(ctx, "secrets"), func(tx *db.Tx) error {
		s = Status{Keys: map[HomeName]int{}, Credentials: map[HomeName]int{}}
		r, err := homeOf(tx)
		if err != nil {
			return err
		}
		s.Active = HomeName(r.Home)
		if r.Holder != "" && r.LeaseUntil > tx.NowMillis() {
			s.Holder, s.HeldUntil = r.Holder, controlplane.FromMillis(r.LeaseUntil)
		}
		if err := countKeys(tx, s.Keys); err != nil {
			return err
		}
		erased, err := erasedCustomers(tx)
		if err != nil {
			return err
		}
		list, err := k.listCredentials(tx)
		for _, c := range list {
			if s.Credentials[c.home()]++; c.home() != s.Active && !erased[c.Customer] {
				s.Behind++
			}
		}
		if err != nil {
			return err
		}
		s.Removals, err = openRemovals(tx)
		return err
	})
	if err != nil {
		return s, fmt.Errorf("secrets: status: %w", err)
	}
	return s, nil
}
