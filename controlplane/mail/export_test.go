package mail

import "time"

// ParseReport is what a report is about, and what it says.
func ParseReport(raw []byte) (messageIDs []string, action string, err error) {
	n, err := parseReport(raw)
	return n.messageIDs, n.action, err
}

// Wait is the wait after a try, QueueID what a server's answer names.
func Wait(try int) time.Duration   { return backoff(try) }
func QueueID(reply string) string  { return queueID(reply) }
func XText(s string) (x, b string) { x = xtext(s); return x, unxtext(x) }

// The moments of a try, and what is done at them.
const (
	MomentConnected = momentConnected
	MomentStored    = momentStored
	MomentHanded    = momentHanded
	MomentRecorded  = momentRecorded
)

// SetHook has an error end a try at a moment, as a process that ends would.
func (m *Mail) SetHook(hook func(moment string) error) { m.hook = hook }
