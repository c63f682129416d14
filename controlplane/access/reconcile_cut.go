package access

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ostler/controlplane/teleport"
)

// running are the sessions of the person that nothing allows any more: on a node
// that their user does not reach with that login.
func (e *enforcement) running() (list []teleport.Live) {
	if e.kick.ID == "" && e.person.LeftAt.IsZero() {
		return nil
	}
	asked := unlocked(e.state)
	ways := teleport.Reaches(asked, e.s.opts.LabelKey)
	for _, l := range e.state.Live {
		for _, u := range e.person.TeleportUsers {
			if l.User != u && !slices.Contains(l.Participants, u) {
				continue
			}
			if !e.person.LeftAt.IsZero() || !allowed(ways, u, l) {
				l.User = u // whom to cut
				list = append(list, l)
				break
			}
		}
	}
	return list
}

// allowed reports whether a user reaches the node of a session, with its login
// where it is theirs.
func allowed(ways []teleport.Way, user string, l teleport.Live) bool {
	return slices.ContainsFunc(ways, func(w teleport.Way) bool {
		return w.User == user && slices.Contains(w.Nodes, l.Node) && (l.User != user || slices.Contains(w.Logins, l.Login))
	})
}

// unlocked is a state without the short locks of ours: what is allowed once they end.
func unlocked(s teleport.State) teleport.State {
	s.Locks = slices.DeleteFunc(slices.Clone(s.Locks), func(l teleport.Lock) bool { return strings.HasPrefix(l.Name, kickPrefix) })
	return s
}

// cut ends sessions that nothing allows any more. again says that a lock was set
// whose effect was not seen yet.
func (e *enforcement) cut(ctx context.Context) (again bool, err error) {
	running := e.running()
	if len(running) == 0 {
		if e.kick.ID != "" {
			e.kick.State = kickDone
		}
		return false, nil
	}
	if e.kick.ID == "" { // left, and nobody asked: whatever runs is to end
		e.kick = kickRow{ID: strings.TrimPrefix(rowID(), "row_"), Person: e.person.ID, State: kickWanted}
	}
	if e.kick.State == kickHost || e.kick.State == kickGap || e.refused || e.state.LocksRefused {
		e.refused = true
		return false, nil
	}
	now, err := e.s.db.Now(ctx)
	if err != nil {
		return false, err
	}
	// The cluster's clock decides when a lock ends: where ours is behind, a short
	// one is over before it bites, so each further one lasts longer.
	until := now.Add(min(e.s.opts.Kick<<min(e.kick.Locks, 10), longestKick))
	for i, u := range usersOf(running) {
		err := e.s.cluster.PutLock(ctx, teleport.Lock{Name: fmt.Sprintf("%s%s-%d", kickPrefix, e.kick.ID, i), User: u, Message: "Access to a server of this session was taken away. Sign in again for the others.", Expires: until})
		if refusal(err) {
			e.refused = true
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	e.kick.State, e.kick.Locks = kickLocked, e.kick.Locks+1
	return true, nil
}

func usersOf(list []teleport.Live) (users []string) {
	for _, l := range list {
		if !slices.Contains(users, l.User) {
			users = append(users, l.User)
		}
	}
	return users
}
