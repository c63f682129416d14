package host

import (
	"context"
	"errors"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
	"ostler/certs/deploy"
)

// certRequest makes the key of a round, and has the responder answer for its
// names before the plane hears of it.
func (a *Agent) certRequest(ctx context.Context, p wire.CertRequestParams) (any, error) {
	res, err := a.certs.Request(ctx, p)
	if err != nil {
		return nil, certFailure(err)
	}
	if p.Thumbprint != "" {
		if err := a.responder.Answer(p.Certificate, p.Names, p.Thumbprint, a.hostTime(p.AnswerUntil)); err != nil {
			return nil, helper.Fail(diskCause(err), err, "the answer to challenges cannot be kept")
		}
	}
	res.Responder = a.responder.Address()
	return res, nil
}

// hostTime is an instant of the plane's clock by this host's, in Unix
// milliseconds. They differ where the host's policy allows a simulated time.
func (a *Agent) hostTime(planes int64) int64 {
	policy, err := LoadPolicy(a.o.PolicyDirs...)
	if err != nil {
		return planes
	}
	return planes - a.clock(policy).Sub(a.now()).Milliseconds()
}

func (a *Agent) certDeploy(ctx context.Context, p wire.CertDeployParams) (any, error) {
	policy, err := LoadPolicy(a.o.PolicyDirs...)
	if err != nil {
		return nil, helper.Fail(wire.CausePolicy, err, "the host's policy cannot be read")
	}
	res, err := a.certs.Deploy(ctx, p, policy.AllowsName)
	return res, certFailure(err)
}

func (a *Agent) certLook(ctx context.Context, p wire.CertLookParams) (any, error) {
	res, err := a.certs.Look(ctx, p)
	return res, certFailure(err)
}

func (a *Agent) certTake(ctx context.Context, p wire.CertTakeParams) (any, error) {
	policy, err := LoadPolicy(a.o.PolicyDirs...)
	if err != nil {
		return nil, helper.Fail(wire.CausePolicy, err, "the host's policy cannot be read")
	}
	res, err := a.certs.Take(ctx, p, policy.AllowsName)
	return res, certFailure(err)
}

func (a *Agent) certForget(ctx context.Context, p wire.CertForgetParams) (any, error) {
	res, err := a.certs.Forget(ctx, p)
	if err == nil && len(p.Keep) == 0 {
		err = a.responder.Silence(p.Certificate)
	}
	return res, certFailure(err)
}

// certFailure maps an error of the engine to one that the plane is told.
func certFailure(err error) error {
	var own *deploy.Error
	if errors.As(err, &own) {
		return &helper.Error{Failure: own.Failure, Err: own.Err}
	}
	return err
}
