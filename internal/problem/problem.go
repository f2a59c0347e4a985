// Package problem is the one vocabulary of what can go wrong. The core says it in these words; httpapi, the answer
// to WeChat and the SQS worker each translate them with one table.
package problem

import (
	"errors"
	"fmt"
)

// Code is a word of the vocabulary. It is an error itself, for errors.Is(err, problem.NotFound).
type Code string

const (
	Invalid      Code = "invalid"       // the request is malformed; repeating it does not help
	Unauthorized Code = "unauthorized"  // nobody we know, or no longer: log in again
	NotFound     Code = "not_found"     // no such thing, or not the caller's
	Conflict     Code = "conflict"      // it contradicts what is stored
	PriceChanged Code = "price_changed" // the catalogue sells at another price now: start a new order
	Rejected     Code = "rejected"      // understood and refused for good: a rule of ours or of WeChat
	Limited      Code = "limited"       // too many; later
	Unavailable  Code = "unavailable"   // something we need does not answer: repeat the same request
	Internal     Code = "internal"      // our fault
)

// Codes lists the vocabulary.
func Codes() []Code {
	return []Code{Invalid, Unauthorized, NotFound, Conflict, PriceChanged, Rejected, Limited, Unavailable, Internal}
}

func (c Code) Error() string { return string(c) }

// Error is a problem with a sentence for its reader. The message is shown to callers: no secret, no body, no openid.
type Error struct {
	Code    Code
	Message string
	cause   error
}

// New makes a problem. A %w in the format keeps its cause for logs, without showing more than its text.
func New(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), cause: errors.Unwrap(err)}
}

// Hide makes a problem whose cause is for the log only.
func Hide(code Code, cause error, message string) *Error {
	return &Error{Code: code, Message: message, cause: cause}
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, problem.NotFound) true for a problem of that code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// CodeOf returns the word for an error: Internal for one that nobody named.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
