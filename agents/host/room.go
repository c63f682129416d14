package host

import (
	"runtime/debug"
	"time"

	"ostler/agents/wire"
)

// freeAfter is how long the agent has nothing to do before it gives memory back.
const freeAfter = 10 * time.Second

// freeLater gives memory back once there was nothing to do for a while: hours
// may pass until the next job, but to do so between jobs costs more than they do.
func (a *Agent) freeLater() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.freeing != nil {
		a.freeing.Reset(freeAfter)
		return
	}
	a.freeing = time.AfterFunc(freeAfter, func() {
		a.mu.Lock()
		idle := a.running == [2]int{}
		a.mu.Unlock()
		if idle {
			debug.FreeOSMemory()
		}
	})
}

// lightPlaces is how many light jobs run for each place of heavy ones.
const lightPlaces = 4

// weight says what an action's places are counted with (0 heavy, 1 light), and
// how many there are.
func weight(action wire.Action, parallel int) (kind, places int) {
	switch action {
	case wire.ActionCertRequest, wire.ActionCertDeploy, wire.ActionCertLook, wire.ActionCertForget, wire.ActionAccessScan, wire.ActionEndLogin, wire.ActionLoginsScan:
		return 1, lightPlaces * parallel
	}
	return 0, parallel
}
