// Package agents is the plane's side of the agents on customers' servers:
// their certificates and enrolment, the sessions in which jobs travel, who is
// there and who is silent, and what each server says of itself.
//
// It keeps true that an identity comes only from a certificate of our own CA
// and a key that enrolled with a token made for that one server; that a token
// makes at most one identity; that two machines never share one unnoticed; that
// nothing is offered to a server without the signer's signature; and that a
// server we do not hear is a finding, not a green light.
//
// A server keeps its queue of jobs when its agent is replaced: an agent is only
// the server's present credential.
package agents
