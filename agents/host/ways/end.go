package ways

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"ostler/agents/wire"
)

// userVariable is what Teleport tells a session of whose it is.
const userVariable = "SSH_TELEPORT_USER"

// endRounds bounds how often what a session starts meanwhile is looked for.
const endRounds = 200

// startNear is how far the beginning of a session and of its first process may
// lie apart: the cluster has both from the same host's clock.
const startNear = 10 * time.Second

// EndLogins ends an account's sessions that came through Teleport and are of that
// user: the only one that began when the cluster says that theirs did, or those
// that say so themselves. What a session says it may have changed: one that says it
// is another's is left and counted, and so is one that says nothing or goes on.
// Which account's a session is, and what descends from it, is read from what its
// processes cannot change. Where the account is not one of this host's files, a
// session of none of those may be its own: it is left too.
//
// Errors: where processes cannot be seen.
func EndLogins(ctx context.Context, o Options, p wire.EndLoginParams) (wire.EndedLogins, error) {
	o = o.withDefaults()
	var res wire.EndedLogins
	if o.Proc == "" {
		return res, errors.New("ways: end logins: this root has no processes of its own")
	}
	accounts, err := readPasswd(o)
	if err != nil {
		return res, fmt.Errorf("ways: end logins: %w", err)
	}
	mine, left := choose(sessions(processes(ctx, o.Proc), nil), accounts, bootTime(o.Proc), p)
	res.Left = left
	for _, t := range mine {
		if end(ctx, o.Proc, t) {
			res.Ended++
		} else {
			res.Left++
		}
	}
	return res, nil
}

// choose parts the sessions that are meant from those that may be, by number.
func choose(all []teleportSession, accounts map[string]int, boot time.Time, p wire.EndLoginParams) (mine []teleportSession, left int) {
	local := map[int]bool{}
	for _, uid := range accounts {
		local[uid] = true
	}
	known, there := accounts[p.Account]
	of := slices.DeleteFunc(slices.Clone(all), func(t teleportSession) bool {
		if there {
			return t.owner() != known
		}
		return local[t.owner()]
	})
	if !there || p.TeleportUser == "" {
		return nil, len(of)
	}
	var near []teleportSession
	for _, t := range of {
		if at := boot.Add(t.started); p.Started != 0 && at.Sub(time.UnixMilli(p.Started)).Abs() <= startNear {
			near = append(near, t)
		}
	}
	for _, t := range of {
		if len(near) == 1 && near[0].pid == t.pid || t.environment(userVariable) == p.TeleportUser {
			mine = append(mine, t)
		}
	}
	return mine, len(of) - len(mine)
}

// readPasswd are the numbers of accounts by name.
func readPasswd(o Options) (map[string]int, error) {
	root, err := os.OpenRoot(o.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	s := &scan{o: o, root: root, seenFile: map[string]bool{}}
	s.readAccounts()
	byName := map[string]int{}
	for _, a := range s.accounts {
		byName[a.name] = a.uid
	}
	return byName, nil
}

// end ends a session with everything that it started, and reports whether it is over.
func end(ctx context.Context, proc string, t teleportSession) bool {
	for range endRounds {
		list := t.all(processes(ctx, proc))
		if len(list) == 0 {
			return ctx.Err() == nil
		}
		for _, p := range list {
			kill(proc, p)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
	return false
}

// all are the processes of a session that run: what hangs under its first one, and
// what does not any more.
func (t teleportSession) all(procs map[int]process) (list []process) {
	if now, lives := procs[t.pid]; lives && now.start == t.start {
		list = under(procs, t.pid)
	}
	for _, p := range procs {
		if t.holds(p) && !slices.ContainsFunc(list, func(o process) bool { return o.pid == p.pid }) {
			list = append(list, under(procs, p.pid)...)
		}
	}
	return list
}

// under is a process and all that descend from it, the deepest last.
func under(procs map[int]process, pid int) []process {
	list := []process{procs[pid]}
	for i := 0; i < len(list); i++ {
		for _, p := range procs {
			if p.parent == list[i].pid && p.pid != p.parent {
				list = append(list, p)
			}
		}
	}
	return list
}

// kill ends one process. The handle is taken first and the start compared
// afterwards: a number that another process has got by then is left alone.
func kill(proc string, p process) {
	h, err := os.FindProcess(p.pid) // a pidfd
	if err != nil {
		return
	}
	defer func() { _ = h.Release() }()
	if now, ok := readProcess(proc, p.pid); ok && now.start == p.start {
		_ = h.Signal(syscall.SIGKILL)
	}
}
