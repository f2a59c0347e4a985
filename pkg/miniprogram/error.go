package miniprogram

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// What a caller decides on; see Error and the package comment.
var (
	ErrCodeUsed    = errors.New("login code was used before")
	ErrCodeInvalid = errors.New("login code is not valid")
	ErrSessionKey  = errors.New("session key is not the valid one")
	ErrBlocked     = errors.New("user is blocked")
	ErrBusy        = errors.New("wechat is busy or limits the rate")
	ErrNoAnswer    = errors.New("no usable answer from wechat")
	ErrConfig      = errors.New("configuration is wrong")
)

// Error is an answer of WeChat with an errcode other than 0. errors.Is finds the sentinel of its kind, if it has one.
type Error struct {
	Code    int
	Message string // errmsg without the rid
	RID     string // to quote to WeChat's support
	API     string // code2Session, stable_token, checkSessionKey or resetUserSessionKey
}

// The codes for an AppSecret that is not the one of the AppID.
const (
	secretWrong   = 40001 // of a call with an access token it is about that token instead
	secretInvalid = 40125
)

// kinds is spec 8.1, 8.4 and 6.3: what each code is for the caller, and what to do.
var kinds = map[int]struct {
	sentinel error
	advice   string
}{
	-1:            {ErrBusy, "system error at WeChat: try again later"},
	45011:         {ErrBusy, "minute quota reached: try again after a minute"},
	45009:         {ErrBusy, "daily quota reached: wait until tomorrow or clear the quota"},
	40029:         {ErrCodeInvalid, "call wx.login again: a code lives 5 minutes, for one AppID"},
	40163:         {ErrCodeUsed, "call wx.login again: a code works once"},
	87009:         {ErrSessionKey, "another login replaced the key, or it has expired: call wx.login again"},
	87008:         {ErrConfig, "invalid sig_method"},
	40226:         {ErrBlocked, "WeChat calls this user high-risk: refuse the login"},
	secretWrong:   {ErrConfig, "the AppSecret is wrong: copy it again from 开发管理"},
	40002:         {ErrConfig, "invalid grant_type"},
	40013:         {ErrConfig, "the AppID is wrong: copy it again from 开发管理"},
	secretInvalid: {ErrConfig, "the AppSecret is wrong: copy it again from 开发管理"},
	40164:         {ErrConfig, "this server's egress IP is not in the IP 白名单: add it in 开发管理"},
	40243:         {ErrConfig, "the AppSecret is frozen: unfreeze it in 开发管理"},
	41002:         {ErrConfig, "the AppID is missing: set it"},
}

// ridForm is where errmsg ends in a rid. It is a word of its own: "grid:" holds none.
var ridForm = regexp.MustCompile(`(?s)^(.*)\brid:\s*(\S*)`)

func newError(api string, code int, message string, secrets ...string) *Error {
	rid := ""
	if parts := ridForm.FindStringSubmatch(message); parts != nil {
		message, rid = parts[1], parts[2]
	}
	return &Error{Code: code, API: api, Message: clean(message, secrets...), RID: clean(rid, secrets...)}
}

const secretBytesMin = 4 // shorter ones are no secrets, and cutting them would garble the message

// clean makes one line of at most 200 characters without the secrets.
func clean(s string, secrets ...string) string {
	for _, secret := range secrets {
		if len(secret) >= secretBytesMin {
			s = strings.ReplaceAll(s, secret, redacted)
		}
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if runes := []rune(s); len(runes) > 200 {
		s = string(runes[:200])
	}
	return s
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: errcode %d", e.API, e.Code)
	if e.Message != "" {
		text += " (" + e.Message + ")"
	}
	if e.RID != "" {
		text += " rid " + e.RID
	}
	return text + ": " + e.Advice()
}

// Advice says what to do.
func (e *Error) Advice() string {
	if kind, ok := kinds[e.Code]; ok {
		return kind.advice
	}
	return "look the code up at WeChat and quote the rid"
}

func (e *Error) Is(target error) bool {
	kind, ok := kinds[e.Code]
	return ok && kind.sentinel == target
}

// unanswered is an ErrNoAnswer. Of its cause it keeps only whether a context ended: the cause may hold the address,
// and the AppSecret is in it.
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
	return fmt.Sprintf("%s: %v: %s: try again", u.api, ErrNoAnswer, u.reason)
}

func (u *unanswered) Is(target error) bool { return target == ErrNoAnswer }
func (u *unanswered) Unwrap() error        { return u.ended }
