package ways

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"ostler/agents/wire"
)

// userVariable is what Teleport tells a session of whose it is.
const userVariable = "SSH_TELEPORT_USER"

// endRounds bounds how often what a session starts meanwhile is looked for.
const endRounds = 200

// EndLogins ends an account's sessions that came through Teleport and are, by
// what Teleport told them, of that user. A session that does not say whose it
// is, or that goes on, is counted as left; sessions of others are not touched
// and not counted. Where the account is not one of this host's files, a session
// of none of those may be its own: it is left too, unless it is another user's.
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
	local := map[int]bool{}
	for _, uid := range accounts {
		local[uid] = true
	}
	var mine []teleportSession
	for _, t := range sessions(processes(ctx, o.Proc), nil) {
		user := t.environment(userVariable)
		known, there := accounts[p.Account]
		switch {
		case there && t.uid != known:
		case !there && (local[t.uid] || user != "" && user != p.TeleportUser):
		case !there || user == "" || p.TeleportUser == "":
			res.Left++
		case user == p.TeleportUser:
			mine = append(mine, t)
		}
	}
	for _, t := range mine {
		if end(ctx, o.Proc, t) {
			res.Ended++
		} else {
			res.Left++
		}
	}
	return res, nil
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
		procs := processes(ctx, proc)
		now, lives := procs[t.pid]
		if !lives || now.start != t.start {
			return true
		}
		for _, p := range under(procs, t.pid) {
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
