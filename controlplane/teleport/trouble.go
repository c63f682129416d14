package teleport

import "errors"

// Trouble is why a cluster cannot be used, as a word that can be stored.
type Trouble string

// The troubles; "" is none.
const (
	TroubleUnreachable Trouble = "unreachable"
	TroubleWrongCA     Trouble = "wrong_ca"
	TroubleExpired     Trouble = "identity_expired"
	TroubleIdentity    Trouble = "identity_unusable"
	TroubleDenied      Trouble = "denied"
	TroubleClock       Trouble = "clock"
	TroubleBusy        Trouble = "busy"
	TroubleOther       Trouble = "other"
)

// TroubleOf names what went wrong.
func TroubleOf(err error) Trouble {
	for _, x := range []struct {
		err error
		t   Trouble
	}{{ErrExpired, TroubleExpired}, {ErrWrongCA, TroubleWrongCA}, {ErrClock, TroubleClock}, {ErrIdentity, TroubleIdentity},
		{ErrDenied, TroubleDenied}, {ErrUnreachable, TroubleUnreachable}, {ErrTooMuch, TroubleBusy}} {
		if errors.Is(err, x.err) {
			return x.t
		}
	}
	return TroubleOther
}

// OfIdentity reports whether it is our identity that has to be seen to.
func (t Trouble) OfIdentity() bool {
	return t == TroubleWrongCA || t == TroubleExpired || t == TroubleIdentity || t == TroubleDenied
}

// Text is a trouble as a sentence without its full stop, and what to do. It says
// nothing of what an error itself said.
func (t Trouble) Text() (sentence, next string) {
	switch t {
	case "":
		return "", ""
	case TroubleUnreachable:
		return "the cluster does not answer", "See whether its auth service runs and can be reached from here."
	case TroubleWrongCA:
		return "the cluster's certificate is not signed by the authority that our identity names", "Find out whether the address is right. If the cluster's authority was rotated, make a new identity file."
	case TroubleExpired:
		return "our identity has expired", "Make a new identity file, or see why tbot does not renew it."
	case TroubleIdentity:
		return "our identity file cannot be used", "Make a new identity file, and see that Ostler may read it."
	case TroubleDenied:
		return "our identity may not read what it has to", "Give its role list and read on roles, users, locks, nodes, session trackers, events and sessions."
	case TroubleClock:
		return "by our clock the cluster's certificate is not valid now", "Compare the clocks of the cluster and of Ostler's machine."
	case TroubleBusy:
		return "the cluster is too busy to answer", "Nothing: it is asked again. If it stays, see how the cluster is."
	}
	return "the cluster answered with an error of its own", "See the log of Ostler and of the cluster's auth service."
}
