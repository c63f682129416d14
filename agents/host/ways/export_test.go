package ways

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"ostler/agents/wire"
)

// Chosen are the first processes of the sessions that would be ended, and how many
// sessions would be left.
func Chosen(proc string, accounts map[string]int, p wire.EndLoginParams) (pids []int, left int) {
	mine, left := choose(sessions(processes(context.Background(), proc), nil), accounts, bootTime(proc), p)
	for _, t := range mine {
		pids = append(pids, t.pid)
	}
	return pids, left
}

// Held are all processes of the session whose first one is pid.
func Held(proc string, pid int) (pids []int) {
	procs := processes(context.Background(), proc)
	for _, t := range sessions(procs, nil) {
		if t.pid == pid {
			for _, p := range t.all(procs) {
				pids = append(pids, p.pid)
			}
		}
	}
	slices.Sort(pids)
	return pids
}

// AccountOf is whose a session is, by number.
func AccountOf(proc string, pid int) string {
	for _, t := range sessions(processes(context.Background(), proc), nil) {
		if t.pid == pid {
			return strings.TrimPrefix(t.account, "#")
		}
	}
	return strconv.Itoa(-1)
}
