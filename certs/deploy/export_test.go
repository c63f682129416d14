package deploy

import "strings"

// SetAt has f told of every step; a test kills there.
func (e *Engine) SetAt(f func(point string)) { e.at = f }

// SetSystemd says where it is seen that systemd runs.
func (e *Engine) SetSystemd(dir string) { e.systemd = dir }

// Others is how many wait for a command beside the one who will run it; -1 where
// nobody waits.
func (e *Engine) Others(argv []string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if b := e.batches[strings.Join(argv, "\x00")]; b != nil {
		return b.others
	}
	return -1
}
