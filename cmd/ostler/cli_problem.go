package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"ostler/controlplane"
)

// problem is the API's error, RFC 9457.
type problem struct {
	Title     string `json:"title"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	Next      string `json:"next"`
	RequestID string `json:"request_id"`
	Errors    []struct {
		Pointer string `json:"pointer"`
		Message string `json:"message"`
		Detail  string `json:"detail"`
	} `json:"errors"`
}

// problemOf reads an answer that is not a success.
func problemOf(resp *http.Response) error {
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var p problem
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != "application/problem+json" || json.Unmarshal(raw, &p) != nil {
		return notOurs(resp)
	}
	e := &controlplane.Error{Code: controlplane.Code(p.Code), Message: p.Detail, Next: p.Next}
	if !e.Code.Valid() {
		e.Code = codeOf(resp.StatusCode)
	}
	if e.Message == "" {
		e.Message = p.Title
	}
	for _, f := range p.Errors {
		e.Fields = append(e.Fields, controlplane.Field{Pointer: f.Pointer, Message: f.Message + f.Detail})
	}
	switch {
	case e.Code == controlplane.CodeUnauthorized:
		e.Next = signInNext
	case e.Code == controlplane.CodeForbidden && strings.HasPrefix(e.Next, "Say why first"):
		e.Next = "Say why first; the customer sees it: ostler assist start CUSTOMER --reason REASON --ticket TICKET"
	case e.Code == controlplane.CodeNotFound && strings.HasPrefix(e.Next, "Check the address"):
		e.Next = "Check the name or the id; “list” in place of the verb shows what you may see." // there are no addresses and pages here
	}
	return &requestError{error: e, request: p.RequestID}
}

const signInNext = "Make a token in the portal (your name at the top, Tokens for programs) and keep it with: ostler token save. Or put it into $OSTLER_TOKEN, or name its file with --token-file."

// notOurs is an answer that the API did not give: a proxy's, or another program's.
func notOurs(resp *http.Response) error {
	e := controlplane.Errorf(codeOf(resp.StatusCode), "Check the address with ostler doctor, and that the control plane runs behind it.",
		"%s answered %d, and not as a control plane does", resp.Request.URL.Host, resp.StatusCode)
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return noAnswer{e, true}
	case http.StatusNotFound: // nothing was looked for, so nothing is missing
		e.Code = controlplane.CodeUnavailable
	case http.StatusUnauthorized:
		e.Next = signInNext
	}
	return e
}

// codeOf maps a status to a code where the answer names none.
func codeOf(status int) controlplane.Code {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return controlplane.CodeInvalid
	case http.StatusUnauthorized:
		return controlplane.CodeUnauthorized
	case http.StatusForbidden:
		return controlplane.CodeForbidden
	case http.StatusNotFound:
		return controlplane.CodeNotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return controlplane.CodeConflict
	case http.StatusGone:
		return controlplane.CodeExpired
	case http.StatusTooManyRequests:
		return controlplane.CodeTooMany
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return controlplane.CodeUnavailable
	}
	return controlplane.CodeInternal
}

// unreachable says in plain words why no connection came about.
func unreachable(base *url.URL, err error) error {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	passing := false
	say := func(next, format string, args ...any) error {
		return noAnswer{controlplane.Errorf(controlplane.CodeUnavailable, next, format, args...).Because(err), passing}
	}
	switch {
	case errors.As(err, &dns):
		return say("Check the address (--server-url or $OSTLER_URL) and the name server.", "There is no host of the name %s", dns.Name)
	case errors.As(err, &cert):
		return say("If the control plane has a certificate of your own authority, name that authority's file with --ca-file.",
			"The certificate of %s is not to be trusted: %s", base.Host, cert.Err)
	case errors.As(err, &record):
		return say(fmt.Sprintf("Use http://%s if it is on this machine; else have it speak TLS.", base.Host), "%s does not speak TLS", base.Host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return say("Start it with ostler serve, or correct the address (--server-url or $OSTLER_URL).", "Nothing listens on %s", base.Host)
	}
	passing = true
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return say("Check the network between this machine and the control plane, then try again.", "%s did not answer in time", base.Host)
	}
	return say("Check the network and the address with ostler doctor, then try again.", "The connection to %s failed", base.Host)
}
