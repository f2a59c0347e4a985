package xpay

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// echo answers every request with the same bytes, without a network.
type echo string

func (e echo) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(e)))}, nil
}

// FuzzAnswers reads any bytes as the answer of any API: it never panics, what it accepts has errcode 0 or a done code,
// and what it refuses names fields, never values. Only the message of an *Error is WeChat's own text.
func FuzzAnswers(f *testing.F) {
	for i, e := range Endpoints() {
		f.Add(uint8(i), onFile(f, e.Name+".answer.json"))
	}
	for _, odd := range []string{
		`{"errcode":0,"balance":"a value that is no number"}`, `{"errcode":0,"balance":null,"balance":9223372036854775808}`,
		`{"errcode":0,"first_save_flag":{"a":[true]}}`, `{"errcode":"0","errcode":0}`, `{"errcode":[0,[0]]}`, `{"errcode":268490004}`,
	} {
		f.Add(uint8(0), odd)
	}
	f.Fuzz(func(t *testing.T, which uint8, reply string) {
		api := calls[int(which)%len(calls)]
		c := Client{Merchant: merchant(t, Production, vectorKey), Tokens: &tokens{}, HTTP: &http.Client{Transport: echo(reply)}}
		got, err := api.call(t.Context(), &c)
		var refusal *Error
		if err == nil {
			checkAccepted(t, api.api, reply, got)
		} else if !errors.As(err, &refusal) {
			checkNoValues(t, err, reply)
		}
	})
}

func checkAccepted(t *testing.T, api, reply string, got any) {
	t.Helper()
	var answer map[string]json.RawMessage
	if json.Unmarshal([]byte(reply), &answer) != nil || len(answer) == 0 {
		if api != "notify_provide_goods" {
			t.Errorf("%s took %q for success", api, reply)
		}
		return
	}
	code := strings.TrimSpace(strings.Trim(string(answer["errcode"]), `"`))
	if strings.Trim(code, "+-0") != "" && strings.TrimLeft(code, "+0") != "268490004" || code == "" {
		t.Errorf("%s took errcode %q for success: %+v", api, code, got)
	}
}

// checkNoValues looks for the longer texts of an answer in an error.
func checkNoValues(t *testing.T, err error, reply string) {
	var answer any
	if json.Unmarshal([]byte(reply), &answer) != nil {
		return
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		case string:
			if len(v) >= 16 && strings.Contains(err.Error(), v) {
				t.Errorf("the error %q holds the value %q", err, v)
			}
		}
	}
	walk(answer)
}
