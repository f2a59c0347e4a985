package xpay

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

var (
	// ErrNoOrder: WeChat knows no such order (268490002 with 数据不存在, or errcode 0 with no order). The user may
	// still open the cashier later, so it is never final.
	ErrNoOrder = errors.New("wechat knows no such order")
	// ErrNoAnswer: no usable answer came (network, timeout, HTTP status other than 200, unreadable body). Whether
	// WeChat acted is unknown.
	ErrNoAnswer = errors.New("no usable answer from wechat")
	// ErrAbsent: WeChat knows no such withdrawal, complaint, contract or the like (268490002 with 数据不存在, or errcode
	// 0 about nothing). Orders have ErrNoOrder.
	ErrAbsent = errors.New("wechat knows nothing under that number")
	// ErrNotReady: the file is being made (268490011, or errcode 0 without its address): ask again after some seconds
	// to a minute, with the same parameters.
	ErrNotReady = errors.New("wechat is still making the file")
)

// Class is what a program does with an error code.
type Class int

const (
	ClassGiveUp  Class = iota // a person or a code fix is needed
	ClassRetry                // repeat later, with identical parameters
	ClassRefresh              // get another access token, repeat once; the client has done so already
	ClassDone                 // 0, or an earlier call with the same number succeeded: treat as success
)

func (c Class) String() string {
	switch c {
	case ClassGiveUp:
		return "give up"
	case ClassRetry:
		return "retry"
	case ClassRefresh:
		return "refresh the access token"
	case ClassDone:
		return "done"
	}
	return fmt.Sprintf("class(%d)", int(c))
}

// Error is an answer of WeChat with an errcode other than 0. Its text names the API, the code, what WeChat said, the
// rid to quote to WeChat's support, and what to do.
type Error struct {
	Code    int
	Message string // errmsg without the rid
	RID     string
	API     string // e.g. query_order
}

const (
	systemError        = -1
	paramError         = 268490002
	beingGenerated     = 268490011
	noSessionKey       = 268490009
	calledTooOften     = 268490015
	accountUnfinished  = 268490021
	minuteQuotaReached = 45011
	duplicateCharge    = -15027

	messageRunesMax = 200
	secretBytesMin  = 4 // shorter ones are no secrets, and cutting them would garble the message
)

// ridForm is where errmsg ends in a rid. It is a word of its own: "grid:" holds none.
var ridForm = regexp.MustCompile(`(?s)^(.*)\brid:\s*(\S*)`)

// newError splits the rid off errmsg and keeps secrets that WeChat might echo out of it.
func newError(api string, code int, message string, secrets []string) *Error {
	rid := ""
	if parts := ridForm.FindStringSubmatch(message); parts != nil {
		message, rid = parts[1], parts[2]
	}
	return &Error{Code: code, API: api, Message: clean(message, secrets), RID: clean(rid, secrets)}
}

// clean makes one printable line of at most messageRunesMax characters.
func clean(s string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) >= secretBytesMin {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if runes := []rune(s); len(runes) > messageRunesMax {
		s = string(runes[:messageRunesMax])
	}
	return s
}

func (e *Error) Error() string {
	text := fmt.Sprintf("xpay %s: errcode %d", e.API, e.Code)
	if e.Message != "" {
		text += " (" + e.Message + ")"
	}
	if e.RID != "" {
		text += " rid " + e.RID
	}
	return text + ": " + e.Advice()
}

// Is makes errors.Is true for ErrNoOrder, ErrAbsent and ErrNotReady with the answers that say so.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNoOrder, ErrAbsent:
		return e.Code == paramError && strings.Contains(e.Message, "数据不存在")
	case ErrNotReady:
		return e.Code == beingGenerated
	}
	return false
}

// Class is ClassGiveUp for a code that the catalogue does not know.
func (e *Error) Class() Class {
	info, _ := Lookup(e.Code)
	return info.Class
}

// Advice says in English what to do.
func (e *Error) Advice() string {
	if info, ok := Lookup(e.Code); ok {
		return info.Advice
	}
	return "not a documented code: look it up at WeChat and quote the rid"
}

// AdviceZH says in Chinese what to do.
func (e *Error) AdviceZH() string {
	if info, ok := Lookup(e.Code); ok {
		return info.AdviceZH
	}
	return "该错误码未见于官方文档：请查阅微信文档，并向微信客服提供 rid"
}

// OutcomeUnknown tells whether WeChat may have acted although the call failed: no answer, a context that ended, a
// retry-class answer (-1, refund in progress, ...), -15027 (which may mean that the number was charged before) or a code
// nobody documented. A caller that moves money then queries, or repeats the identical call with the same number.
func OutcomeUnknown(err error) bool {
	var repeat *repeatError
	if errors.As(err, &repeat) {
		return true
	}
	var e *Error
	if errors.As(err, &e) {
		info, known := Lookup(e.Code)
		return !known || info.Class == ClassRetry || e.Code == duplicateCharge
	}
	return errors.Is(err, ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func tokenRejected(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Class() == ClassRefresh
}

// unanswered is an ErrNoAnswer. It keeps of its cause only whether a context ended: the cause itself may hold the
// address with the access token in it.
type unanswered struct {
	api, reason string
	ended       error
}

func noAnswer(api, reason string, cause error) error {
	u := &unanswered{api: api, reason: reason}
	for _, ended := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(cause, ended) {
			u.ended = ended
		}
	}
	return u
}

func (u *unanswered) Error() string {
	return fmt.Sprintf("xpay %s: %v: %s: it may have acted, so query before anything else", u.api, ErrNoAnswer, u.reason)
}

func (u *unanswered) Is(target error) bool { return target == ErrNoAnswer }
func (u *unanswered) Unwrap() error        { return u.ended }

// transportReason says why a request failed, without the address that url.Error prints.
func transportReason(err error) string {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	text := err.Error()
	if strings.Contains(text, "access_token") || strings.Contains(text, "?") {
		return "the transport failed"
	}
	return clean(text, nil)
}
