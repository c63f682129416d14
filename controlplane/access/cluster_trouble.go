package access

import (
	"errors"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/teleport"
)

// trouble is why the cluster is not looked at.
type trouble string

// The troubles.
const (
	troubleUnreachable trouble = "unreachable"
	troubleWrongCA     trouble = "wrong_ca"
	troubleExpired     trouble = "identity_expired"
	troubleIdentity    trouble = "identity_unusable"
	troubleDenied      trouble = "denied"
	troubleClock       trouble = "clock"
	troubleUnclean     trouble = "unclean"
	troubleOther       trouble = "other"
)

// ofIdentity reports whether it is our identity that has to be seen to.
func (t trouble) ofIdentity() bool {
	return t == troubleWrongCA || t == troubleExpired || t == troubleIdentity || t == troubleDenied
}

// troubleOf names what went wrong.
func troubleOf(err error) trouble {
	for _, x := range []struct {
		err error
		t   trouble
	}{{teleport.ErrExpired, troubleExpired}, {teleport.ErrWrongCA, troubleWrongCA}, {teleport.ErrClock, troubleClock}, {teleport.ErrIdentity, troubleIdentity},
		{teleport.ErrDenied, troubleDenied}, {teleport.ErrUnreachable, troubleUnreachable}} {
		if errors.Is(err, x.err) {
			return x.t
		}
	}
	var unclean *uncleanError
	if errors.As(err, &unclean) {
		return troubleUnclean
	}
	return troubleOther
}

// ClusterTrouble says why a cluster cannot be looked at, a sentence without its
// full stop, and what to do. It never says what err itself says.
func ClusterTrouble(err error) (sentence, next string) { return troubleText(troubleOf(err), nil) }

// troubleText is a trouble as a sentence without its full stop, and what to do.
func troubleText(t trouble, unread []string) (sentence, next string) {
	switch t {
	case "":
		return "", ""
	case troubleUnreachable:
		return "the cluster does not answer", "See whether its auth service runs and can be reached from here."
	case troubleWrongCA:
		return "the cluster's certificate is not signed by the authority that our identity names", "Find out whether the address is right. If the cluster's authority was rotated, make a new identity file."
	case troubleExpired:
		return "our identity has expired", "Make a new identity file, or see why tbot does not renew it."
	case troubleIdentity:
		return "our identity file cannot be used", "Make a new identity file, and see that Ostler may read it."
	case troubleDenied:
		return "our identity may not read what it has to", "Give its role list and read on roles, users, locks, nodes and session trackers."
	case troubleClock:
		return "by our clock the cluster's certificate is not valid now", "Compare the clocks of the cluster and of Ostler's machine."
	case troubleUnclean:
		sentence = "some of it could not be read"
		if len(unread) > 0 {
			sentence += ": " + controlplane.Line(strings.Join(unread, ", "), 300)
		}
		return sentence, "Give our identity's role what is missing."
	}
	return "the cluster answered with an error of its own", "See the log of Ostler and of the cluster's auth service."
}
