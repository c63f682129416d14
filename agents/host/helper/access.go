package helper

import (
	"context"

	"ostler/agents/host/logins"
	"ostler/agents/host/ways"
	"ostler/agents/wire"
)

// Access implements Helper: most of what decides who gets in is root's to read.
func (h *Local) Access(ctx context.Context) (wire.AccessScan, error) {
	res, err := ways.Scan(ctx, h.ways())
	if err != nil {
		return res, Fail(wire.CauseInternal, err, "who can get into the server cannot be read")
	}
	return res, nil
}

// Logins implements Helper: root reads the records of sign-ins.
func (h *Local) Logins(ctx context.Context, p wire.LoginsScanParams) (wire.LoginsScan, error) {
	res, err := logins.Scan(ctx, logins.Options{Root: h.o.Root}, p)
	if err != nil {
		return res, Fail(wire.CauseInternal, err, "who came into the server cannot be read")
	}
	return res, nil
}

// EndLogins implements Helper.
func (h *Local) EndLogins(ctx context.Context, p wire.EndLoginParams) (wire.EndedLogins, error) {
	res, err := ways.EndLogins(ctx, h.ways(), p)
	if err != nil {
		return res, Fail(wire.CauseUnsupported, err, "the sessions of this server cannot be seen")
	}
	return res, nil
}

func (h *Local) ways() ways.Options { return ways.Options{Root: h.o.Root} }
