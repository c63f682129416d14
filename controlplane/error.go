package controlplane

import (
	"errors"
	"fmt"
)

// Code is what sort of error a person or a program meets. The edges (pages,
// API, command line) map it once to a status, a problem type and an exit code.
type Code string

// The codes of errors.
const (
	CodeInvalid      Code = "invalid"      // the input is wrong; see Error.Fields
	CodeUnauthorized Code = "unauthorized" // nobody is signed in, or the credential is not good
	CodeForbidden    Code = "forbidden"    // one's own object, but not this permission
	CodeNotFound     Code = "not_found"    // does not exist, or is another customer's
	CodeConflict     Code = "conflict"     // the state does not allow it now
	CodeExpired      Code = "expired"      // it existed; its time is over
	CodeUnavailable  Code = "unavailable"  // something we depend on does not answer
	CodeTooMany      Code = "too_many"     // too many attempts; wait
	CodeInternal     Code = "internal"     // anything else; people see a request id only
)

// Valid reports whether c is a known code.
func (c Code) Valid() bool {
	switch c {
	case CodeInvalid, CodeUnauthorized, CodeForbidden, CodeNotFound, CodeConflict,
		CodeExpired, CodeUnavailable, CodeTooMany, CodeInternal:
		return true
	}
	return false
}

// Field is one wrong field of an input.
type Field struct {
	Pointer string // RFC 6901 JSON pointer, "/name"; forms use its last part
	Message string // what is wrong with it and what is wanted; never the value
}

// Error is the only error whose text reaches people. Message is the cause and
// Next the next step, both in plain words and without secrets or personal data.
type Error struct {
	Code    Code
	Message string
	Next    string
	Fields  []Field
	// Err is the cause for the log; it is never shown.
	Err error
}

// Error returns the message and, where there is one, the wrapped cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the wrapped cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error with a code, a next step, and a formatted message.
// The message is shown to people: wrap the technical cause with Because.
func Errorf(code Code, next, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Next: next}
}

// Because returns e with err as the cause that only the log sees.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// Invalid returns an error about the fields of an input.
func Invalid(fields ...Field) *Error {
	return &Error{Code: CodeInvalid, Message: "Some of what was entered cannot be used", Next: "Correct the marked fields and send it again.", Fields: fields}
}

// NotFound is the one answer for an object that does not exist and for one of
// another customer: both read the same.
func NotFound(noun string) *Error {
	return &Error{Code: CodeNotFound, Message: "There is no such " + noun, Next: "Check the address, or go back to the list and choose it there."}
}

// ErrorCode returns the code of the first Error in err's chain, CodeInternal
// for any other error, and "" for nil.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
