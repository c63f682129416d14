package identity

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"gorm.io/gorm/clause"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// The throttle counts failures in windows. Every counter is kept under a keyed
// hash of what it counts and is deleted after its window, so that no address
// stays longer than it is needed.
//
//   - One account from one address: 5 wrong passwords, then 15 minutes' wait.
//   - One address over all accounts: 30, then 15 minutes' wait.
//   - One account from all addresses together: 100 in an hour. Then only
//     addresses from which its owner signed in within 30 days are heard.
//
// So somebody who guesses, even from a thousand addresses, shuts themselves out
// and not the owner, who signs in from where they usually do. A reached limit
// answers before any password is looked at, and alike whether the account exists.
//
//   - Wrong second factors: 5 for one password sign-in, 10 an hour for one
//     account from all unknown addresses, and as many from each known one. Only
//     who knows the password gets that far.
const (
	pairLimit, pairWindow       = 5, 15 * time.Minute
	addressLimit, addressWindow = 30, 15 * time.Minute
	accountLimit, accountWindow = 100, time.Hour
	factorLimit, factorWindow   = 10, time.Hour
	pendingLimit                = 5
	knownLife                   = 30 * 24 * time.Hour
)

type markRow struct {
	Mark  []byte `gorm:"column:mark;primaryKey"`
	N     int64  `gorm:"column:n"`
	Until int64  `gorm:"column:until_at"`
}

func (markRow) TableName() string { return "sign_in_marks" }

func (s *Store) mark(kind, account, address string) []byte {
	return s.keeper.Index("sign-in "+kind, account+"\x00"+address)
}

// network is what of an address is counted: all of IPv4, the /64 of IPv6,
// because one machine has all of that.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64) // 64 bits fit every IPv6 address
	return p.String()
}

// count returns the failures of a mark within its window.
func (s *Store) count(tx *db.Tx, mark []byte) (int64, error) {
	var r markRow
	err := tx.Where("mark = ? AND until_at > ?", mark, tx.NowMillis()).Take(&r).Error
	if db.IsNotFound(err) {
		return 0, nil
	}
	return r.N, err
}

// raise counts one more failure. The window begins with the first one and anew
// with the one that reaches the limit.
func (s *Store) raise(tx *db.Tx, mark []byte, limit int64, window time.Duration) (int64, error) {
	n, err := s.count(tx, mark)
	if err != nil {
		return 0, err
	}
	n++
	columns := []string{"n"}
	if n == 1 || n == limit {
		columns = append(columns, "until_at")
	}
	err = tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "mark"}}, DoUpdates: clause.AssignmentColumns(columns),
	}).Create(&markRow{Mark: mark, N: n, Until: tx.Now.Add(window).UnixMilli()}).Error
	return n, err
}

// lower takes one failure back that was counted before the outcome was known.
func (s *Store) lower(tx *db.Tx, mark []byte) error {
	n, err := s.count(tx, mark)
	if err != nil || n == 0 {
		return err
	}
	return tx.Table(markRow{}.TableName()).Where("mark = ?", mark).Update("n", n-1).Error
}

func (s *Store) known(tx *db.Tx, account, address string) (bool, error) {
	n, err := s.count(tx, s.mark("known", account, address))
	return n > 0, err
}

// remember notes that the owner of an account signed in from an address.
func (s *Store) remember(tx *db.Tx, account, address string) error {
	return tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "mark"}}, DoUpdates: clause.AssignmentColumns([]string{"until_at"}),
	}).Create(&markRow{Mark: s.mark("known", account, address), N: 1, Until: tx.Now.Add(knownLife).UnixMilli()}).Error
}

func tooMany() error {
	return controlplane.Errorf(controlplane.CodeTooMany, "Wait a quarter of an hour, then try again. If it was not you who tried, tell us.", "There were too many wrong attempts to sign in")
}

// attempt is one try of a password. It is counted as a failure before the
// password is looked at, so that many tries at once cannot slip through.
type attempt struct {
	account, address string
	customer         string // that the person named, "" for none
	n                int64  // failures of this account from this address, this one included
}

func (s *Store) begin(ctx context.Context, email, customer, address string) (a attempt, err error) {
	a = attempt{account: email, address: network(address), customer: customer}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		known, err := s.known(tx, a.account, a.address)
		if err != nil {
			return err
		}
		counters := s.counters(a)
		if known { // whoever else fails, the owner gets through from here
			counters = counters[:2]
		}
		for _, c := range counters {
			if n, err := s.count(tx, c.mark); err != nil {
				return err
			} else if n >= c.limit {
				return tooMany()
			}
		}
		for i, c := range s.counters(a) {
			n, err := s.raise(tx, c.mark, c.limit, c.window)
			if err != nil {
				return err
			}
			if i == 0 {
				a.n = n
			}
		}
		return nil
	})
	if err != nil && controlplane.ErrorCode(err) == controlplane.CodeInternal {
		err = fmt.Errorf("identity: throttle: %w", err)
	}
	return a, err
}

type counter struct {
	mark   []byte
	limit  int64
	window time.Duration
}

func (s *Store) counters(a attempt) []counter {
	return []counter{
		{s.mark("pair", a.account+"\x00"+a.customer, a.address), pairLimit, pairWindow},
		{s.mark("address", "", a.address), addressLimit, addressWindow},
		{s.mark("account", a.account, ""), accountLimit, accountWindow},
	}
}

// succeeded takes the attempt back, and forgets the owner's earlier slips from
// this address where the password could be that of nobody else: whoever has an
// account of their own under somebody's e-mail address, at a customer of theirs,
// must not begin to guess anew by signing in to it.
func (s *Store) succeeded(tx *db.Tx, a attempt, alone bool) error {
	cs := s.counters(a)
	if alone {
		if err := tx.Where("mark = ?", cs[0].mark).Delete(&markRow{}).Error; err != nil {
			return err
		}
		cs = cs[1:]
	}
	for _, c := range cs {
		if err := s.lower(tx, c.mark); err != nil {
			return err
		}
	}
	return nil
}

// worthNoting reports whether a failed attempt goes into the ledger: the first
// of a window and the one that reaches the limit. Somebody who guesses cannot
// fill the ledger.
func worthNoting(n, limit int64) bool { return n == 1 || n == limit }
