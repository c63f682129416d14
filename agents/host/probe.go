package host

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"ostler/agents/wire"
)

// CertificateUntil is when the agent's certificate ends, if it is not renewed.
func (id Identity) CertificateUntil() (time.Time, error) {
	leaf, err := id.leaf()
	if err != nil {
		return time.Time{}, err
	}
	return leaf.NotAfter, nil
}

// probeTime is how long Probe waits for an answer.
const probeTime = 10 * time.Second

// Probe asks the plane's agents' listener once, as the agent that is enrolled in
// a state folder, and says in words what answers. ok is whether the agent could
// connect now. It begins no session.
func Probe(ctx context.Context, state string) (ok bool, words string, err error) {
	id, err := LoadIdentity(state)
	if err != nil {
		return false, "", err
	}
	key, err := loadKey(state)
	if err != nil {
		return false, "", err
	}
	conf, err := clientTLS(func() Identity { return id }, key)
	if err != nil {
		return false, "", err
	}
	tr := &http.Transport{TLSClientConfig: conf, Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, id.StreamURL+wire.PathStream, nil)
	if err != nil {
		return false, "", fmt.Errorf("host: probe: %w", err)
	}
	res, err := tr.RoundTrip(req)
	switch {
	case err != nil && isCertificateError(err):
		return false, fmt.Sprintf("the certificate of what answers at %s does not fit; it may be another port", id.StreamURL), nil
	case err != nil:
		return false, fmt.Sprintf("no answer at %s: %s", id.StreamURL, phrase(err)), nil
	}
	defer res.Body.Close()
	return answerWords(id.StreamURL, res)
}

// answerWords reads a listener's answer to a request that is no WebSocket: only
// the agents' listener asks for one.
func answerWords(address string, res *http.Response) (ok bool, words string, err error) {
	switch res.StatusCode {
	case http.StatusUpgradeRequired:
		return true, address + " answers and takes this agent", nil
	case http.StatusNotFound:
		return false, fmt.Sprintf("%s is not where agents connect: it may be the enrolment's port (usually 8445) where the agents' (usually 8444) belongs; correct the control plane's stream address", address), nil
	}
	var r wire.Refusal
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err == nil && json.Unmarshal(body, &r) == nil && r.Message != "" {
		return false, fmt.Sprintf("%s refuses this agent: %s. %s", address, r.Message, r.Next), nil
	}
	return false, fmt.Sprintf("%s answers with status %d", address, res.StatusCode), nil
}

// isAgentsListener reports whether a handshake failed because the other end
// insists on an agent's certificate, as the enrolment never does. crypto/tls
// has no type for it.
func isAgentsListener(err error) bool {
	return err != nil && strings.Contains(err.Error(), "tls: certificate required")
}
