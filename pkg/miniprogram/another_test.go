package miniprogram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const markedNew = "MARKED-NEWER"

// rotatedApp is an App whose WeChat knows markedNew, and answers any other AppSecret with a code. It returns what counts the
// calls.
func rotatedApp(t *testing.T, code int) (*App, *int) {
	calls := new(int)
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		*calls++
		body, _ := io.ReadAll(r.Body)
		switch secret := r.URL.Query().Get("secret") + string(body); {
		case !strings.Contains(secret, markedNew):
			fmt.Fprintf(w, `{"errcode":%d,"errmsg":"no: %s"}`, code, marked)
		case strings.HasSuffix(r.URL.Path, "stable_token"):
			io.WriteString(w, `{"access_token":"token","expires_in":7200}`)
		default:
			io.WriteString(w, `{"openid":"o1","session_key":"a2V5"}`)
		}
	})
	return app, calls
}

func TestARefusedAppSecretIsTriedOnceMoreWithAnother(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code    int
		another Secret
		calls   int
	}{
		{40125, markedNew, 2}, {40001, markedNew, 2},
		{40125, "", 1}, {40125, marked, 1}, // there is none
		{40125, "MARKED-THIRD", 2},                                       // and that one is refused, too
		{40029, markedNew, 1}, {40164, markedNew, 1}, {-1, markedNew, 1}, // not about the AppSecret
	} {
		app, calls := rotatedApp(t, c.code)
		app.Another = func(_ context.Context, refused Secret) Secret {
			if refused != marked {
				t.Error("asked for another than the one that was sent")
			}
			return c.another
		}
		good := c.calls == 2 && c.another == markedNew
		_, loginErr := app.Code2Session(t.Context(), "code")
		_, tokenErr := app.StableToken(t.Context(), false)
		for api, err := range map[string]error{"code2Session": loginErr, "stable_token": tokenErr} {
			var e *Error
			if (err == nil) != good || !good && (!errors.As(err, &e) || e.Code != c.code) {
				t.Errorf("%s, %d, then %q: %v", api, c.code, string(c.another), err)
			}
		}
		if *calls != 2*c.calls {
			t.Errorf("%d, then %q: %d calls, want %d", c.code, string(c.another), *calls, 2*c.calls)
		}
	}
}
