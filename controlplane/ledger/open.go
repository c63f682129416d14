package ledger

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

var generationTail = regexp.MustCompile(`/g[0-9]+$`)

// openLog finds the newest log, or opens one with its first leaf.
func (l *Ledger) openLog(ctx context.Context, o Options) error {
	l.base = generationTail.ReplaceAllString(o.Origin, "")
	if l.base == "" || strings.ContainsAny(l.base, "+ \t\r\n") {
		return fmt.Errorf("ledger: open: origin %q: want a name like example.com/ostler, without spaces or plus signs", o.Origin)
	}
	key, err := l.k.Ed25519(keyName)
	if err != nil {
		return fmt.Errorf("ledger: open: %w", err)
	}
	open := func(tx *db.Tx) error {
		newest, ok, err := newestLog(tx)
		if err != nil {
			return err
		}
		l.generation = max(1, newest.Generation)
		if o.Generation != 0 {
			l.generation = o.Generation
		}
		origin := originOf(l.base, l.generation)
		if l.signer, l.key, err = newSigner(origin, key); err != nil {
			return err
		}
		switch {
		case l.generation < newest.Generation:
			return controlplane.Errorf(controlplane.CodeConflict, "Take the generation out of the settings, or set the newest one.",
				"The log %s was followed by %s", origin, newest.Origin)
		case !ok || l.generation > newest.Generation:
			return l.openFresh(tx, o, newest)
		case newest.Origin != origin:
			return controlplane.Errorf(controlplane.CodeConflict, "Set the origin back, or use a database of its own.",
				"This database holds the log %s, and the settings say %s", newest.Origin, origin)
		}
		return nil
	}
	err = l.d.Write(ctx, open)
	if db.IsDuplicate(err) { // another replica opened it meanwhile
		err = l.d.Write(ctx, open)
	}
	if err != nil {
		return fmt.Errorf("ledger: open: %w", err)
	}
	return nil
}

// openFresh stores a new log with its first leaf, which is sequenced at once:
// no other entry can come before it.
func (l *Ledger) openFresh(tx *db.Tx, o Options, before logRow) error {
	data := map[string]any{"origin": l.signer.name, "generation": l.generation, "clock_simulated": o.SimulatedClock, "clock": "the clock was real"}
	if o.SimulatedClock {
		data["clock"] = "the clock was simulated"
	}
	if l.generation > 1 {
		previous, err := l.previous(tx, o.PreviousCheckpoint, before.Generation)
		if err != nil {
			return err
		}
		data["previous_checkpoint"] = previous
	}
	row := logRow{Generation: l.generation, Origin: l.signer.name}
	if err := tx.Create(&row).Error; err != nil {
		return err
	}
	entry, personal, err := l.prepare(tx, Entry{Kind: KindOpened, Data: data})
	if err != nil {
		return err
	}
	if err := insertEntry(tx, entry, personal); err != nil {
		return err
	}
	if err := tx.Flush(); err != nil {
		return err
	}
	return l.sequence(tx, row, []entryRow{entry})
}

// previous returns the highest checkpoint known of the log before: the given
// one, or the newest of this database.
func (l *Ledger) previous(tx *db.Tx, given string, generation int64) (string, error) {
	own, _, err := newestCheckpoint(tx, generation)
	if err != nil || given == "" {
		return string(own.Note), err
	}
	for g := l.generation - 1; g > 0; g-- {
		vkey, err := l.vkeyOf(g)
		if err != nil {
			return "", err
		}
		c, err := OpenCheckpoint([]byte(given), vkey)
		if err != nil {
			continue
		}
		if g < generation || g == generation && c.Size < own.Size {
			return string(own.Note), nil
		}
		return given, nil
	}
	return "", controlplane.Errorf(controlplane.CodeInvalid, "Give the newest checkpoint that was handed out, whole and unchanged.",
		"The previous checkpoint is not signed by this log's key")
}
