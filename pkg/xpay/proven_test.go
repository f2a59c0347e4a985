package xpay

import (
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

// What stays zero in the answers on file, and where it is read instead.
var provenElsewhere = map[string]string{
	"currency_pay.Repeated": "268490004, TestARepeatedCallSaysSoAndMayKnowLess", "present_currency.Repeated": "268490004, there too",
	"create_funds_bill.Repeated":     "268490004, there too",
	"query_subscribe_contract.Apple": "Apple alone, TestAnswersMayVaryInType",
}

// The expected answers of calls prove a field only if its value there could not come from nowhere.
func TestEveryFieldOfAnAnswerIsProvenByAValue(t *testing.T) {
	t.Parallel()
	for _, c := range calls {
		proven := map[string]bool{}
		note(proven, c.api, reflect.ValueOf(c.want))
		for path, ok := range proven {
			if _, listed := provenElsewhere[path]; ok == listed {
				t.Errorf("%s: has a value is %t, listed is %t", path, ok, listed)
			}
		}
	}
}

// note tells for each leaf whether it has a value, in a list in any element.
func note(proven map[string]bool, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Raw" {
				note(proven, path+"."+name, v.Field(i))
			}
		}
	case reflect.Slice:
		proven[path] = proven[path] || v.Len() > 0
		for i := range v.Len() {
			note(proven, path+"[]", v.Index(i))
		}
	case reflect.Pointer:
		proven[path] = proven[path] || !v.IsNil()
		if !v.IsNil() {
			note(proven, path, v.Elem())
		}
	case reflect.Invalid: // nothing is read of this answer
	default:
		proven[path] = proven[path] || !v.IsZero()
	}
}

func TestARedirectCarriesNothingToAnotherServer(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		var stolen atomic.Int32
		thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			stolen.Add(1)
			io.WriteString(w, `{"errcode":0}`)
		}))
		t.Cleanup(thief.Close)
		wechat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL+r.URL.String(), status)
		}))
		t.Cleanup(wechat.Close)
		c := Client{Merchant: merchant(t, Production, vectorKey), Tokens: &tokens{}, HTTP: wechat.Client(), BaseURL: wechat.URL}
		_, err := c.RefundOrder(t.Context(), c5bRefund)
		if !OutcomeUnknown(err) || strings.Contains(err.Error(), thief.URL) || stolen.Load() != 0 {
			t.Errorf("%d: %v, %d requests went elsewhere", status, err, stolen.Load())
		}
	}
}

// Pieces of text, which comments and CDATA sections separate, are joined without copying what was read before each time.
func TestTextInManyPiecesCostsNoMoreThanItsSize(t *testing.T) {
	msg := []byte("<xml><Event>x</Event><a>" + strings.Repeat(strings.Repeat("y", 60)+"<!---->", 15_000) + "</a></xml>")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e, err := ParseEvent(msg)
	runtime.ReadMemStats(&after)
	if text, _ := e.Field("a"); err != nil || text != strings.Repeat("y", 900_000) {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 100<<20 {
		t.Errorf("a push of 1 MB took %d MB", used>>20)
	}
}

func FuzzDates(f *testing.F) {
	for _, text := range []string{
		"20260801", "2026-08-01", "20260230", "202608", "20268", "", "0001-01-01", "２０２６０８０１", "+2026-8-1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDay(text)
		if digits := strings.NewReplacer("-", ""); err == nil && (d == Day{} || digits.Replace(text) != digits.Replace(d.String())) {
			t.Errorf("%q is the day %s", text, d)
		}
		if m, err := ParseMonth(text); err == nil && (m == Month{} || m.String() != text) {
			t.Errorf("%q is the month %s", text, m)
		}
	})
}

func FuzzYuan(f *testing.F) {
	for _, text := range []string{
		"128.50", "128.5", "0", "-0.01", "00.10", ".5", "1.", "1e3", "92233720368547758.07", "92233720368547758.08", "-", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fen, err := Yuan(text).Fen()
		if err != nil {
			return
		}
		amount, ok := new(big.Rat).SetString(text)
		if !ok || amount.Cmp(big.NewRat(int64(fen), 100)) != 0 {
			t.Errorf("%q yuan is %d fen", text, fen)
		}
		if back, err := fen.Yuan().Fen(); err != nil || back != fen {
			t.Errorf("%d fen is %q yuan", fen, fen.Yuan())
		}
	})
}
