package access

import (
	"errors"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/teleport"
)

// troubleUnclean is the one that a list adds: a part was not read.
const troubleUnclean teleport.Trouble = "unclean"

// troubleOf names what went wrong.
func troubleOf(err error) teleport.Trouble {
	var unclean *uncleanError
	if t := teleport.TroubleOf(err); t != teleport.TroubleOther || !errors.As(err, &unclean) {
		return t
	}
	return troubleUnclean
}

// ClusterTrouble says why a cluster cannot be looked at, a sentence without its
// full stop, and what to do. It never says what err itself says.
func ClusterTrouble(err error) (sentence, next string) { return troubleText(troubleOf(err), nil) }

// troubleText is a trouble as a sentence without its full stop, and what to do.
func troubleText(t teleport.Trouble, unread []string) (sentence, next string) {
	if t != troubleUnclean {
		return t.Text()
	}
	sentence = "some of it could not be read"
	if len(unread) > 0 {
		sentence += ": " + controlplane.Line(strings.Join(unread, ", "), 300)
	}
	return sentence, "Give our identity's role what is missing."
}
