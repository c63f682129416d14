// Package host is the agent on a customer's server. What it keeps true:
//
//   - Nothing is started that is not signed for this server by a known signer
//     key, still in time, and allowed by the host's own policy.
//   - A job id starts at most once: its start is in the journal, on the disk,
//     before the work begins. After a crash only what is idempotent or resumable
//     starts again, and only when the plane offers it again.
//   - A result is on the disk before it is sent, and stays until the plane
//     acknowledges it.
//   - The agent has the network and no repository password; the helper has the
//     password and no network (package helper). They meet at a unix socket that
//     the agent serves for the length of one job.
//   - Refused, revoked or out of touch, the agent waits and asks again, ever
//     more rarely. It never removes itself.
//
// The plane's side is package agents; the protocol is package wire.
package host
