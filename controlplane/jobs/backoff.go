package jobs

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
)

const (
	backoffFirst = 30 * time.Second
	backoffMax   = time.Hour
)

// DefaultBackoff doubles from 30 s to one hour.
func DefaultBackoff(attempt int) time.Duration {
	wait := backoffFirst
	for i := 1; i < attempt && wait < backoffMax; i++ {
		wait *= 2
	}
	return min(wait, backoffMax)
}

// DefaultRetry says that what lies outside of the job may pass: a store that
// does not answer, a lock, a time that ran out, an error without a cause.
func DefaultRetry(f wire.Failure) bool {
	switch f.Cause {
	case wire.CauseStoreUnreachable, wire.CauseLocked, wire.CauseTimeout, wire.CauseInternal:
		return true
	}
	return false
}

// jitter spreads a wait by up to a fifth either way. It is the same for the
// same attempt of a job, so that a repeated transaction repeats.
func jitter(wait time.Duration, id string, attempt int) time.Duration {
	span := wait / 5 * 2
	return wait - wait/5 + offset(id, attempt, span)
}

// offset is a stable fraction of span for a name.
func offset(name string, n int, span time.Duration) time.Duration {
	if span <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	_, _ = h.Write(b[:])
	x := h.Sum64() // FNV's high bits mix badly: finish as MurmurHash3 does
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return time.Duration(x % uint64(span))
}

// FailError is an error of a Handler's Run with a cause of its own.
type FailError struct{ Failure wire.Failure }

// Error returns cause and detail.
func (e *FailError) Error() string { return string(e.Failure.Cause) + ": " + e.Failure.Detail }

// Fail returns an error that ends a job of the plane with that cause. Detail is
// one short line without secrets.
func Fail(cause wire.Cause, detail string) error {
	return &FailError{wire.Failure{Cause: cause, Detail: detail}}
}

// failureOf maps an error of a Run to a failure.
func failureOf(err error) wire.Failure {
	var f *FailError
	if errors.As(err, &f) {
		return f.Failure
	}
	return wire.Failure{Cause: wire.CauseInternal, Detail: controlplane.Line(err.Error(), maxDetail)}
}
