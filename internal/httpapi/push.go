package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/observe"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const (
	pushDeadline    = 2500 * time.Millisecond // Apple's question must be answered within 3 s, the others within 5
	forwardDeadline = 2 * time.Second
	plainText       = "text/plain; charset=utf-8"
)

// errCodes is WeChat's dialect of an answer. Whatever is not 0 makes WeChat push again.
const (
	errCodeDone  = 0
	errCodeAgain = 1
)

// echo: GET /wechat/push, the check that WeChat makes when the URL is saved.
func (a *API) echo(c call) (reply, error) {
	text, err := a.Push.Echo(c.URL.Query())
	if err != nil {
		return reply{}, refusedPush(c.Context(), err)
	}
	return reply{status: http.StatusOK, raw: []byte(text), contentType: plainText}, nil
}

// push: POST /wechat/push, everything that WeChat tells us.
func (a *API) push(c call) (reply, error) {
	ctx, cancel := within(c.Context(), pushDeadline)
	defer cancel()
	body, err := c.read()
	if err != nil {
		return reply{}, err
	}
	m, err := a.Push.Open(c.URL.Query(), body)
	if err != nil && !errors.Is(err, miniprogram.ErrAppID) {
		return reply{}, refusedPush(c.Context(), err)
	}
	if !m.Encrypted && a.Orders.Env == xpay.Production {
		a.Log.WarnContext(ctx, "a push came in plain mode", "event", short(m.Event)) // an alarm waits for these words
	}
	if !strings.HasPrefix(m.Event, "xpay_") {
		return a.notOurs(ctx, c, body)
	}
	observe.Set(ctx, "push", short(m.Event))
	event, err := xpay.ParseEvent(m.Body)
	if err != nil {
		event = xpay.Event{Name: m.Event}
		a.Log.ErrorContext(ctx, "a push of WeChat cannot be read", "event", short(m.Event), "error", err)
	}
	p := order.Push{Event: event, Encrypted: m.Encrypted, AppID: m.AppID, Raw: m.Body}
	answer, apple, err := a.record(ctx, p, err != nil)
	if answer == order.AnswerNotOurs && err == nil {
		return a.notOurs(ctx, c, body)
	}
	return a.answer(ctx, m, answer, apple, err)
}

// short is a name from a stranger's body for the log: WeChat's have at most 40 characters.
func short(name string) string {
	if len(name) > 64 {
		return name[:64] + "..."
	}
	return name
}

// record gives a push to the core. One that cannot be read is kept, and pushed again.
func (a *API) record(ctx context.Context, p order.Push, unreadable bool) (order.Answer, order.AppleReply, error) {
	if unreadable {
		return order.AnswerAgain, order.AppleReply{}, a.Orders.KeepUnreadable(ctx, p)
	}
	return a.Orders.Record(ctx, p)
}

// answer writes the reply in the push's own format and mode. An error is answered with a non-zero code: WeChat repeats.
func (a *API) answer(ctx context.Context, m miniprogram.Message, answer order.Answer, apple order.AppleReply, err error) (reply, error) {
	format := xpay.Format(m.Format)
	var plain []byte
	switch {
	case err != nil:
		a.Log.ErrorContext(ctx, "push not recorded, WeChat will repeat it", "event", m.Event, "error", err, "cause", errors.Unwrap(err))
		plain = xpay.Reply(format, errCodeAgain, "not recorded yet")
	case answer == order.AnswerDone:
		plain = xpay.Reply(format, errCodeDone, "success")
	case answer == order.AnswerRefund:
		plain = xpay.IOSRefundReply(format, apple.Code, apple.Info, apple.Evidence)
	default:
		plain = xpay.Reply(format, errCodeAgain, "not settled yet")
	}
	sealed, kind, err := a.Push.Seal(m, plain)
	if err != nil {
		return reply{}, problem.Hide(problem.Internal, err, "the answer could not be sealed")
	}
	return reply{status: http.StatusOK, raw: sealed, contentType: kind}, nil
}

// notOurs hands a push on, or acknowledges it: one URL serves all messages of the mini-program.
func (a *API) notOurs(ctx context.Context, c call, body []byte) (reply, error) {
	if a.Forward == nil {
		return reply{status: http.StatusOK, raw: []byte("success"), contentType: plainText}, nil
	}
	return a.Forward.send(ctx, c, body)
}

// Forward relays pushes that are not ours to another receiver, as they came.
type Forward struct {
	URL    string
	Client *http.Client
}

// send relays a push and returns the receiver's answer. When it does not answer in time the push is not
// acknowledged: WeChat repeats it.
func (f *Forward) send(ctx context.Context, c call, body []byte) (reply, error) {
	ctx, cancel := within(ctx, forwardDeadline)
	defer cancel()
	target := f.URL + "?" + c.URL.RawQuery
	if strings.Contains(f.URL, "?") {
		target = f.URL + "&" + c.URL.RawQuery
	}
	unanswered := problem.New(problem.Unavailable, "the receiver behind the forward URL did not answer")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return reply{}, unanswered
	}
	req.Header.Set("Content-Type", c.Header.Get("Content-Type"))
	resp, err := f.Client.Do(req)
	if err != nil {
		return reply{}, unanswered
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, bodyBytesMax))
	if err != nil {
		return reply{}, unanswered
	}
	return reply{status: resp.StatusCode, raw: raw, contentType: resp.Header.Get("Content-Type")}, nil
}

// refusedPush counts a push that is not believed. Anybody can send one: many of them are an attack, or a token that was
// changed on one side.
func refusedPush(ctx context.Context, err error) error {
	observe.Count(ctx, observe.PushesRefused)
	return pushProblem(err)
}

// pushProblem says why a push is not believed. Nothing of it was looked at.
func pushProblem(err error) error {
	switch {
	case errors.Is(err, miniprogram.ErrMalformed):
		return problem.Hide(problem.Invalid, err, "this is not a push of WeChat")
	default:
		return problem.Hide(problem.Unauthorized, err, "the signature does not fit, or it is too old")
	}
}
