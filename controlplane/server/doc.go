// Package server is the plane's outside without its pages: the four listeners,
// the JSON API, the agents' endpoints, health and metrics. It only translates.
//
// It keeps true that no request is answered by a route that stands in no table,
// that every API operation names its audience and permission, that an identity
// comes from a bearer token or an agent's certificate and from nothing else,
// that another customer's object reads exactly like one that does not exist, and
// that people and programs get a cause and a next step, or a request id, and
// never an inner error or the value that was refused.
package server
