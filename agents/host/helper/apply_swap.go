package helper

import (
	"errors"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// swap exchanges what stands under a name (was, as it was seen) with what lies
// in a slot, in one step. Where the file system cannot exchange, what stands
// there gets a second name first and is then replaced: there is no moment
// without either.
func (h *Local) swap(dir int, name string, slots int, slot string, was *seen) error {
	if err := h.put.reach("swap"); err != nil {
		return err
	}
	err := h.put.renameat2(slots, slot, dir, name, unix.RENAME_EXCHANGE)
	if cannot(err) {
		return h.replace(dir, name, slots, slot, was)
	}
	if err != nil {
		return err
	}
	out, err := look(slots, slot)
	if err != nil {
		return err
	}
	if out != nil && out.kind == wire.NodeDir && was.kind != wire.NodeDir { // it became a folder meanwhile
		return errors.Join(unix.EISDIR, h.put.renameat2(slots, slot, dir, name, unix.RENAME_EXCHANGE))
	}
	return nil
}

func (h *Local) replace(dir int, name string, slots int, slot string, was *seen) error {
	old := slot + ".old"
	if err := unix.Unlinkat(slots, old, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	if err := unix.Linkat(dir, name, slots, old, 0); err != nil {
		return err
	}
	if out, err := look(slots, old); err != nil || out == nil || out.Ino != was.Ino {
		return errors.Join(err, unix.ENOENT) // it is another one by now: look again
	}
	if err := h.put.reach("replace"); err != nil {
		return err
	}
	if err := unix.Renameat(slots, slot, dir, name); err != nil {
		return err
	}
	if err := h.put.reach("replaced"); err != nil {
		return err
	}
	return unix.Renameat(slots, old, slots, slot)
}
