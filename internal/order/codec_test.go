package order

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

const golden = "testdata/golden/v1.json"

// TestTheGoldenOrderDecodesForEver: documents of version 1 lie in stores. The file is never rewritten; a field that
// is added later must be one that may be missing.
func TestTheGoldenOrderDecodesForEver(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	o, err := decode(store.Doc{ID: DocID(testID), Body: raw})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := encode(o, store.Doc{})
	if err != nil {
		t.Fatal(err)
	}
	var was, is any
	if err := json.Unmarshal(raw, &was); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(doc.Body, &is); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(was, is) {
		t.Errorf("written again it reads\n%s", doc.Body)
	}
	if got, want := o.Ledger(), (Ledger{Paid: 280, Surplus: 300, Held: 0, Refunded: 130, Reserved: 50}); got != want {
		t.Errorf("ledger %+v, want %+v", got, want)
	}
	if doc.User != "1:oUser-1" || !slices.Equal(doc.Keys, []string{"paid/2026-03-01T02", KeyHeld}) || doc.ID != "order/"+testID {
		t.Errorf("stored as %+v", doc)
	}
	if want := time.Date(2026, 3, 1, 2, 10, 30, 0, time.UTC); !doc.Due.Equal(want) {
		t.Errorf("due at %v, want %v", doc.Due, want)
	}
}

// TestTheGoldenOrderIsRich: every field of the stored types is in the golden file, so that none can be renamed.
func TestTheGoldenOrderIsRich(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{Order{}, Attempt{}, Payment{}, Refund{}, Attention{}, Entry{}, Outgoing{}, Lease{}} {
		for i := range reflect.TypeOf(v).NumField() {
			field := reflect.TypeOf(v).Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !bytes.Contains(raw, []byte(`"`+name+`"`)) {
				t.Errorf("%T.%s (%q) is not in %s", v, field.Name, name, golden)
			}
		}
	}
}

func TestADocumentThatCannotBeReadIsRefusedWithASentence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"a newer version": {`{"v":2,"id":"x","attempts":[{"n":1}]}`, "version 2, this program knows 1"},
		"no version":      {`{"id":"x","attempts":[{"n":1}]}`, "version 0, this program knows 1"},
		"no attempts":     {`{"v":1,"id":"x"}`, "order/x"},
		"no JSON":         {`{"v":1`, "the document order/x is not an order that can be read"},
		"nothing":         {``, "the document order/x is not an order that can be read"},
		"another type":    {`{"v":1,"amount":"100"}`, "the document order/x is not an order that can be read"},
	} {
		_, err := decode(store.Doc{ID: "order/x", Body: []byte(c.body)})
		if problem.CodeOf(err) != problem.Internal || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want a sentence with %q", name, err, c.want)
		}
	}
}

func TestAnOrderThatGrewTooLargeGivesUpWhatMovedNothing(t *testing.T) {
	t.Parallel()
	o, _ := tell(fresh(), pushed(1, "T1"))
	kept := len(o.History)
	for range 400 {
		o.History = append(o.History, Entry{At: testStart, Event: EventImpossible, Source: SourcePush, Detail: strings.Repeat("x", 100)})
	}
	doc, err := encode(o, store.Doc{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := decode(doc)
	if err != nil {
		t.Fatal(err)
	}
	if len(back.History) != kept || back.State != Delivered || back.Ledger().Paid != 100 {
		t.Errorf("%d lines of %d are left: %+v", len(back.History), kept, back.History)
	}
	if len(o.History) != kept+400 {
		t.Error("encoding changed the order")
	}
}
