package teleport

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/gravitational/teleport/api/mfa"
	"github.com/gravitational/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// name says what an error is: ours stay, others are wrapped in one of ours
// where we know them. What a server says may name its paths, so it does not
// get through as it is.
func (c *Client) name(err error) error {
	for _, ours := range []error{ErrUnreachable, ErrWrongCA, ErrExpired, ErrIdentity, ErrDenied, ErrRefused, ErrNotOurs,
		ErrNotFound, ErrChanged, ErrInUse, ErrClock, ErrSSO, ErrTooMuch} {
		if errors.Is(err, ours) {
			return err
		}
	}
	var connect *connectError
	if errors.As(err, &connect) {
		return c.nameConnect(connect)
	}
	code := status.Code(unwrapTrace(err))
	switch {
	case errors.Is(err, context.DeadlineExceeded) || code == codes.DeadlineExceeded:
		return fmt.Errorf("%w: no answer within %s", ErrUnreachable, c.opts.CallTimeout)
	case code == codes.Unavailable || trace.IsConnectionProblem(err):
		return fmt.Errorf("%w: the connection was lost", ErrUnreachable)
	case errors.Is(err, &mfa.ErrAdminActionMFARequired):
		return fmt.Errorf("%w: the cluster asks for a second factor, which only identities of bots are let off", ErrDenied)
	case trace.IsNotImplemented(err) || code == codes.Unimplemented:
		return fmt.Errorf("%w: it does not know the call; it may be too old", ErrRefused)
	case trace.IsAccessDenied(err):
		if licence.MatchString(err.Error()) {
			return fmt.Errorf("%w: its edition or licence does not cover it", ErrRefused)
		}
		return ErrDenied
	case trace.IsNotFound(err):
		return ErrNotFound
	case trace.IsLimitExceeded(err):
		return ErrTooMuch
	case trace.IsCompareFailed(err) || trace.IsAlreadyExists(err):
		return ErrChanged
	}
	return fmt.Errorf("the cluster answered: %s", plain(err))
}

// nameConnect says why no connection came about.
func (c *Client) nameConnect(err *connectError) error {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		timeout  net.Error
	)
	switch text := err.Error(); {
	case errors.As(err, &unknown):
		return ErrWrongCA
	case errors.As(err, &hostname):
		return fmt.Errorf("%w: it is not a Teleport auth service's", ErrWrongCA)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%w: it is valid from %s to %s; check the clocks", ErrClock,
			invalid.Cert.NotBefore.UTC().Format(time.RFC3339), invalid.Cert.NotAfter.UTC().Format(time.RFC3339))
	case errors.As(err, &invalid):
		return fmt.Errorf("%w: %s", ErrWrongCA, plain(err))
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w: no answer within %s", ErrUnreachable, c.opts.DialTimeout)
	case strings.Contains(text, "remote error: tls:"), c.ended() && !err.dialing:
		return c.nameAlert(text)
	}
	return fmt.Errorf("%w: %s", ErrUnreachable, plain(err))
}

// nameAlert says why the cluster did not let our certificate in.
func (c *Client) nameAlert(text string) error {
	switch {
	case c.ended():
		return fmt.Errorf("%w on %s", ErrExpired, c.Expiry().UTC().Format(time.RFC3339))
	case strings.Contains(text, "expired certificate"):
		return fmt.Errorf("%w by the cluster's clock, or is not valid there yet; by ours it ends on %s; check the clocks", ErrExpired, c.Expiry().UTC().Format(time.RFC3339))
	case strings.Contains(text, "unknown certificate authority"):
		return fmt.Errorf("%w: the cluster does not know the CA that signed it", ErrIdentity)
	}
	return fmt.Errorf("%w: the cluster does not accept its certificate", ErrIdentity)
}

// ended reports whether the identity's time is over by our clock.
func (c *Client) ended() bool {
	at := c.Expiry()
	return !at.IsZero() && time.Now().After(at)
}

// licence finds what clusters say that leave locks to another edition.
var licence = regexp.MustCompile(`(?i)licen[cs]|enterprise|edition`)

// inUse finds what clusters say of a role that cannot be deleted.
var inUse = regexp.MustCompile(`(?i)in use|used by`)

// paths are what looks like a path of a machine.
var paths = regexp.MustCompile(`(?:[A-Za-z]:)?[/\\][^\s:"']*[/\\][^\s:"']*`)

// plain is an error's last cause in one line, without paths, and not long.
func plain(err error) string {
	var missing *fs.PathError
	if errors.As(err, &missing) {
		err = missing.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	text := strings.Join(strings.Fields(paths.ReplaceAllString(trace.Unwrap(err).Error(), "…")), " ")
	if cut := []rune(text); len(cut) > 200 {
		return string(cut[:200]) + "…"
	}
	return text
}

// unwrapTrace is the error under those that only carry where it was seen.
func unwrapTrace(err error) error {
	var s interface{ GRPCStatus() *status.Status }
	if errors.As(err, &s) {
		return s.GRPCStatus().Err()
	}
	return trace.Unwrap(err)
}
