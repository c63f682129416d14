//go:build slow

package mail_test

import (
	"math/rand/v2"
	"testing"
)

// TestSlowKill kills two processes with SIGKILL at instants that nobody chose, in
// the middle of 2,000 mails to 2,000 people: each has theirs, and none has it twice
// that was not on its way.
func TestSlowKill(t *testing.T) {
	const mails = 2000
	first := 1 + rand.IntN(mails/2)
	killed(t, mails, false, first, first+1+rand.IntN(mails-first-1))
}
