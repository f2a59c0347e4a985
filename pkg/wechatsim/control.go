package wechatsim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// control plays one control endpoint: a JSON object in, a JSON value out. Unknown names are refused, so a typing
// error never looks like success. Errors are {"error": "a sentence"} with 400, 404 or 409.
func control[T any](play func(context.Context, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in T
		if r.Method == http.MethodPost {
			if err := decodeStrict(r.Body, &in); err != nil {
				writeControl(w, nil, err)
				return
			}
		}
		out, err := play(r.Context(), in)
		writeControl(w, out, err)
	}
}

// decodeStrict reads one JSON value; an empty body is {}.
func decodeStrict(body io.Reader, into any) error {
	raw, err := io.ReadAll(io.LimitReader(body, bodyBytesMax+1))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrInput, err)
	case len(raw) > bodyBytesMax:
		return fmt.Errorf("the body is longer than %d bytes: %w", bodyBytesMax, ErrInput)
	case len(bytes.TrimSpace(raw)) == 0:
		raw = []byte("{}")
	}
	return unmarshalStrict(raw, into)
}

func unmarshalStrict(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("more than one JSON value: %w", ErrInput)
	}
	return nil
}

// noEndpoint answers every path under /sim that nothing has.
func noEndpoint(w http.ResponseWriter, r *http.Request) {
	writeControl(w, nil, fmt.Errorf("there is no control endpoint %s %s: %w", r.Method, r.URL.Path, ErrUnknown))
}

func writeControl(w http.ResponseWriter, out any, err error) {
	status := http.StatusOK
	switch {
	case err == nil:
	case errors.Is(err, ErrInput):
		status = http.StatusBadRequest
	case errors.Is(err, ErrUnknown):
		status = http.StatusNotFound
	case errors.Is(err, ErrState):
		status = http.StatusConflict
	default:
		status = http.StatusInternalServerError
	}
	if err != nil {
		out = map[string]string{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(mustJSON(out), '\n'))
}

type (
	nothing  struct{}
	openIDIn struct{ OpenID string }
	orderIn  struct{ OutTradeNo string }
	codeOut  struct {
		Code string `json:"code"`
	}
	okOut struct {
		OK bool `json:"ok"`
	}
	clockOut struct {
		Now string `json:"now"`
	}
	ordersOut struct {
		OutTradeNos []string `json:"outTradeNos"`
	}
)

func (s *Sim) controlLogin(_ context.Context, in openIDIn) (any, error) {
	if in.OpenID == "" {
		return nil, fmt.Errorf("openid is missing: %w", ErrInput)
	}
	code := s.Login(in.OpenID)
	return codeOut{code}, s.kept()
}

// kept is the journal's first failure, after which nothing may be answered as done.
func (s *Sim) kept() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journalErr
}

func (s *Sim) controlLogout(_ context.Context, in openIDIn) (any, error) {
	return okOut{true}, s.Logout(in.OpenID)
}

// controlPayment checks the types of the four arguments itself, since wx answers 1001 for a wrong one.
func (s *Sim) controlPayment(_ context.Context, in map[string]json.RawMessage) (any, error) {
	for _, name := range []string{"mode", "signData", "paySig", "signature"} {
		if raw := in[name]; len(raw) > 0 && raw[0] != '"' {
			return failed(1001, "parameter error: parameter.%s should be String instead of %s", name, jsKind(raw)), nil
		}
	}
	var r PaymentRequest
	if err := unmarshalStrict(mustJSON(in), &r); err != nil {
		return nil, err
	}
	if r.OpenID == "" {
		return nil, fmt.Errorf("openid is missing: %w", ErrInput)
	}
	return s.RequestVirtualPayment(r), nil
}

// jsKind names the JavaScript type of a JSON value that is no string.
func jsKind(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "Object"
	case '[':
		return "Array"
	case 't', 'f':
		return "Boolean"
	case 'n':
		return "Null"
	}
	return "Number"
}

func (s *Sim) controlPay(_ context.Context, in orderIn) (any, error) {
	return okOut{true}, s.Pay(in.OutTradeNo)
}

func (s *Sim) controlClose(_ context.Context, in orderIn) (any, error) {
	return okOut{true}, s.Close(in.OutTradeNo)
}

func (s *Sim) controlConsoleRefund(_ context.Context, in struct {
	OutTradeNo string
	RefundFee  int64
}) (any, error) {
	return okOut{true}, s.ConsoleRefund(in.OutTradeNo, in.RefundFee)
}

func (s *Sim) controlComplaint(_ context.Context, in ComplaintRequest) (any, error) {
	id, err := s.FileComplaint(in)
	return map[string]string{"complaintId": id}, err
}

func (s *Sim) controlQuestion(_ context.Context, in struct{ OutTradeNo, Reason string }) (any, error) {
	return okOut{true}, s.AskAppleRefund(in.OutTradeNo, in.Reason)
}

func (s *Sim) controlPush(ctx context.Context, in struct {
	Event string
	Body  json.RawMessage
}) (any, error) {
	return s.SendPush(ctx, in.Event, in.Body)
}

func (s *Sim) controlCheckURL(ctx context.Context, _ nothing) (any, error) {
	return s.CheckURL(ctx), nil
}

func (s *Sim) controlOrders(context.Context, nothing) (any, error) {
	return ordersOut{s.newest(listMax)}, nil
}

func (s *Sim) controlOrder(w http.ResponseWriter, r *http.Request) {
	no := r.PathValue("outTradeNo")
	v, ok := s.Order(no)
	if !ok {
		writeControl(w, nil, fmt.Errorf("order %q: %w", excerpt(no), ErrUnknown))
		return
	}
	writeControl(w, v, nil)
}

// controlCoins shows a user's coins in env 0, or in the sandbox with ?env=1.
func (s *Sim) controlCoins(w http.ResponseWriter, r *http.Request) {
	env, ok := map[string]int{"": 0, "0": 0, "1": 1}[r.URL.Query().Get("env")]
	if !ok {
		writeControl(w, nil, fmt.Errorf("env is neither 0 nor 1: %w", ErrInput))
		return
	}
	writeControl(w, s.Coins(r.PathValue("openid"), env), nil)
}

func (s *Sim) controlGoods(context.Context, nothing) (any, error) {
	return map[string]any{"goods": s.UploadedGoods()}, s.kept()
}

func (s *Sim) controlShowQuotas(context.Context, nothing) (any, error) { return s.Quotas(), nil }

func (s *Sim) controlSetQuota(_ context.Context, in struct {
	Path string
	Quota
}) (any, error) {
	if err := s.SetQuota(in.Path, in.Quota); err != nil {
		return nil, err
	}
	return s.Quotas(), nil
}

func (s *Sim) controlAllowedIPs(_ context.Context, in AllowedIPs) (any, error) {
	return okOut{true}, s.SetAllowedIPs(in)
}

func (s *Sim) controlShowFaults(context.Context, nothing) (any, error) { return s.Faults(), nil }

// controlSetFaults merges: what the body names changes, the rest stays; an api path is replaced as a whole.
// {"reset":true} starts from none.
func (s *Sim) controlSetFaults(_ context.Context, in map[string]json.RawMessage) (any, error) {
	reset, there := string(in["reset"]), len(in["reset"]) > 0
	if there && reset != "true" && reset != "false" {
		return nil, fmt.Errorf("reset is neither true nor false: %w", ErrInput)
	}
	delete(in, "reset")
	return s.changeFaults(func(f *Faults) error {
		if reset == "true" {
			*f = Faults{}
		}
		return unmarshalStrict(mustJSON(in), f)
	})
}

func (s *Sim) controlShowClock(context.Context, nothing) (any, error) {
	return clockOut{s.Now().Format(time.RFC3339)}, nil
}

func (s *Sim) controlSetClock(_ context.Context, in struct{ Advance Duration }) (any, error) {
	if err := s.AdvanceClock(time.Duration(in.Advance)); err != nil {
		return nil, err
	}
	return clockOut{s.Now().Format(time.RFC3339)}, nil
}
