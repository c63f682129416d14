// Package signer keeps the key that signs agents' jobs in a process of its own:
// whoever can write to the database, or has the control plane's memory, still
// cannot make a host act on a job that this process did not see. It signs
// complete envelopes only, refuses what no host should accept, writes one line
// for each signature, and answers on a unix socket to its own user and root.
package signer
