package access

// Standing is what is known of whether a line is in force, in one word. Pages,
// documents, the API and the command line all say this one.
type Standing string

// The standings of a line.
const (
	StandsEnforced    Standing = "enforced"     // Teleport or the host said so
	StandsUnconfirmed Standing = "unconfirmed"  // it was so when somebody last looked; nobody has looked since
	StandsByHand      Standing = "by_hand"      // kept on paper or by somebody else: no machine that we ask can say
	StandsUnattested  Standing = "unattested"   // nobody looked: neither yes nor no
	StandsOpen        Standing = "open"         // taken away, and a session or a certificate may still be open
	StandsKept        Standing = "kept"         // no scan shows it, nor has to
	StandsNotEnforced Standing = "not_enforced" // listed, and not in force
	StandsNowhere     Standing = "nowhere"      // in no column
)

// Standings lists the standings.
func Standings() []Standing {
	return []Standing{StandsEnforced, StandsUnconfirmed, StandsByHand, StandsUnattested, StandsOpen, StandsKept, StandsNotEnforced, StandsNowhere}
}

// ByHand reports whether a way is kept on paper or by somebody else: no machine
// that we ask can say whether it is in force.
func (w Way) ByHand() bool { return w == WayPhysical || w == WayVisit || w == WayBackupKey }

// Standing returns what is known of whether the line is in force.
func (l Line) Standing() Standing {
	switch {
	case l.Enforced != nil && l.Attested:
		return StandsEnforced
	case l.Enforced != nil:
		return StandsUnconfirmed
	case l.Way.ByHand():
		return StandsByHand
	case !l.Attested:
		return StandsUnattested
	case l.Could != nil:
		return StandsOpen
	case l.Way == WayAdmin && l.Role != RoleOstler, l.Way == WayService, l.Way == WayCustomer:
		return StandsKept
	case l.Listed != nil:
		return StandsNotEnforced
	}
	return StandsNowhere
}
