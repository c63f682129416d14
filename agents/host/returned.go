package host

import (
	"crypto/hpke"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// returnedKey opens a repository's password that comes back to this host; ""
// where none does.
func (a *Agent) returnedKey(p wire.RepoPrepareParams) (string, error) {
	if len(p.Returned) == 0 {
		return "", nil
	}
	private, err := hpke.NewDHKEMPrivateKey(a.sealKey)
	if err != nil {
		return "", helper.Fail(wire.CauseInternal, err, "this host's own key cannot be used")
	}
	b, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(wire.HPKEInfo+p.Repository.ID), p.Returned)
	if err != nil {
		return "", helper.Fail(wire.CauseNoKey, err, "the key that came back is not sealed to this host")
	}
	if wire.KeyFingerprint(string(b)) != p.KeyFingerprint {
		return "", helper.Fail(wire.CauseNoKey, nil, "the key that came back is not the repository's")
	}
	return string(b), nil
}
