package xpay

import (
	"strconv"
	"strings"
	"testing"
)

// Every code that spec section 6 names, with the class its "Retry?" column gives.
const documented = `
done: 0 268490004
retry: -1 268490011 268490012 268490014 268490015 45011
refresh the access token: 40001 40014 42001
give up:
 268490001 268490002 268490003 268490005 268490006 268490007 268490008 268490009 268490013 268490016
 268490018 268490019 268490020 268490021 268490022 268490023 268490024
 674690001 690000000 690000001 -15027
 40002 40003 40013 40029 40066 40125 40163 40164 40226 40243 41001 41002 43002 43003 44002
 45002 45009 47001 48001 48004 50002 61004 61007 87008 87009 90010`

// Every code of spec 2.3.
const documentedClient = `1001 1003 -1 -2 -4 -5 -15001 -15002 -15003 -15004 -15005 -15006 -15007 -15008 -15009 -15010
 -15011 -15012 -15013 -15014 -15016 -15017 -15018 -15019 -15020 -15021`

func TestTheCatalogueHasEveryDocumentedCode(t *testing.T) {
	t.Parallel()
	count, class := 0, ""
	for line := range strings.Lines(documented) {
		if name, rest, ok := strings.Cut(line, ":"); ok {
			class, line = name, rest
		}
		for _, word := range strings.Fields(line) {
			code, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			count++
			info, ok := Lookup(code)
			if !ok || info.Class.String() != class {
				t.Errorf("%d: %v, found %t, want %s", code, info.Class, ok, class)
			}
		}
	}
	if got := len(Codes()); got != count {
		t.Errorf("catalogue has %d codes, the spec %d", got, count)
	}
	words := strings.Fields(documentedClient)
	for _, word := range words {
		code, _ := strconv.Atoi(word)
		if _, ok := LookupClient(code); !ok {
			t.Errorf("client code %s is missing", word)
		}
	}
	if len(ClientCodes()) != len(words) {
		t.Errorf("%d client codes, the spec has %d", len(ClientCodes()), len(words))
	}
}

func TestEveryCodeIsExplainedInBothLanguagesOnce(t *testing.T) {
	t.Parallel()
	for _, rows := range [][]CodeInfo{Codes(), ClientCodes()} {
		seen := map[int]bool{}
		for _, row := range rows {
			if seen[row.Code] || row.Meaning == "" || row.MeaningZH == "" || row.Advice == "" || row.AdviceZH == "" {
				t.Errorf("%+v", row)
			}
			seen[row.Code] = true
		}
	}
	if _, ok := Lookup(268490010); ok {
		t.Error("268490010 is not assigned")
	}
}

func TestAnUnknownCodeIsGivenUpWithItsOutcomeOpen(t *testing.T) {
	t.Parallel()
	e := &Error{Code: 268490999, API: "refund_order"}
	if e.Class() != ClassGiveUp || !OutcomeUnknown(e) || e.Advice() == "" || e.AdviceZH() == "" {
		t.Errorf("%v", e)
	}
	if OutcomeUnknown(nil) {
		t.Error("nil")
	}
}
