package host

import (
	"context"
	"encoding/json"
	"slices"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// accessScan says who can get into this host, and who is in it.
func (a *Agent) accessScan(ctx context.Context) (any, error) {
	res, err := a.o.Helper.Access(ctx)
	if err != nil {
		return nil, err
	}
	return fitScan(res)
}

// fitScan shortens a scan until it fits into a frame; it is not clean then.
func fitScan(res wire.AccessScan) (wire.AccessScan, error) {
	for {
		b, err := json.Marshal(res)
		if err != nil {
			return res, helper.Fail(wire.CauseInternal, err, "the scan cannot be written")
		}
		if len(b) < wire.MaxFrame-(64<<10) || len(res.Keys)+len(res.Sudo)+len(res.Accounts) == 0 {
			return res, nil
		}
		res.Keys, res.Sudo, res.Accounts = res.Keys[:len(res.Keys)/2], res.Sudo[:len(res.Sudo)/2], res.Accounts[:len(res.Accounts)/2]
		if !slices.Contains(res.Unread, moreThanFits) {
			res.Unread = append(res.Unread, moreThanFits)
		}
	}
}

// moreThanFits stands among what was not read of a host with very much to say.
const moreThanFits = "more than fits into one answer"

// loginsScan says who came in.
func (a *Agent) loginsScan(ctx context.Context, p wire.LoginsScanParams) (any, error) {
	res, err := a.o.Helper.Logins(ctx, p)
	if err != nil {
		return nil, err
	}
	return fitLogins(res)
}

// fitLogins keeps the oldest of what was found, as many as fit into a frame.
func fitLogins(res wire.LoginsScan) (wire.LoginsScan, error) {
	for {
		b, err := json.Marshal(res)
		if err != nil {
			return res, helper.Fail(wire.CauseInternal, err, "the logins cannot be written")
		}
		if len(b) < wire.MaxFrame-(64<<10) || len(res.Logins) < 2 {
			return res, nil
		}
		res.Logins, res.More = res.Logins[:len(res.Logins)/2], true
		res.To = res.Logins[len(res.Logins)-1].At
	}
}

// endLogin ends one user's sessions that came through Teleport.
func (a *Agent) endLogin(ctx context.Context, p wire.EndLoginParams) (any, error) {
	res, err := a.o.Helper.EndLogins(ctx, p)
	if err != nil {
		return nil, err
	}
	return res, nil
}

// access checks the parameters of actions about who is in.
func (v verifier) access(e wire.Envelope) *refusal {
	switch e.Action {
	case wire.ActionAccessScan:
		return check(e, func(wire.AccessScanParams) *refusal { return nil })
	case wire.ActionLoginsScan:
		return check(e, func(wire.LoginsScanParams) *refusal { return nil })
	case wire.ActionEndLogin:
		return check(e, func(p wire.EndLoginParams) *refusal {
			if p.Account == "" || p.TeleportUser == "" {
				return refuse(wire.CausePolicy, "the job does not say whose sessions it means")
			}
			return nil
		})
	}
	return v.certificate(e)
}
