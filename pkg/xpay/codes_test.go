package xpay

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The codes of the spec by section, typed by hand, and how many there are.
var documented = []struct {
	section string
	count   int
	codes   string
	lookup  func(int) (CodeInfo, bool)
	table   []CodeInfo
}{
	{"2.3", 26, `1001 1003 -1 -2 -4 -5 -15001 -15002 -15003 -15004 -15005 -15006 -15007 -15008 -15009 -15010
		-15011 -15012 -15013 -15014 -15016 -15017 -15018 -15019 -15020 -15021`, LookupClient, clientCodes[:]},
	{"6.1", 24, `0 -1 268490001 268490002 268490003 268490004 268490005 268490006 268490007 268490008 268490009
		268490011 268490012 268490013 268490014 268490015 268490016
		268490018 268490019 268490020 268490021 268490022 268490023 268490024`, Lookup, xpayCodes[:]},
	{"6.2", 4, `674690001 690000000 690000001 -15027`, Lookup, subscribeCodes[:]},
	{"6.3 and 8.1", 32, `-1 40001 40002 40003 40013 40014 40029 40066 40125 40163 40164 40226 40243 41001 41002 42001 43002 43003
		44002 45002 45009 45011 47001 48001 48004 50002 61003 61004 61007 87008 87009 90010`, Lookup, append([]CodeInfo{xpayCodes[1]}, platformCodes[:]...)},
}

func TestTheCatalogueHasEveryDocumentedCode(t *testing.T) {
	t.Parallel()
	for _, s := range documented {
		var codes []int
		for word := range strings.FieldsSeq(s.codes) {
			code, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
			if info, ok := s.lookup(code); !ok || info.Code != code {
				t.Errorf("%s: %d is missing", s.section, code)
			}
		}
		if len(codes) != s.count || len(s.table) != s.count {
			t.Errorf("%s: %d codes typed, %d in the table, %d in the spec", s.section, len(codes), len(s.table), s.count)
		}
		for _, row := range s.table {
			if !slices.Contains(codes, row.Code) {
				t.Errorf("%s: %d is not in the spec", s.section, row.Code)
			}
		}
	}
	if n := len(Codes()); n != 59 { // 24 + 4 + 32, -1 counted once
		t.Errorf("%d server codes", n)
	}
	if n := len(ClientCodes()); n != 26 {
		t.Errorf("%d client codes", n)
	}
	for _, code := range []int{268490010, 268490017, 268490025, -15015} {
		if _, ok := Lookup(code); ok {
			t.Errorf("%d is not assigned", code)
		}
	}
	if _, ok := LookupClient(-15015); ok {
		t.Error("-15015 is not assigned")
	}
}

// The "Retry?" columns of section 6, and who has to act.
func TestACodeSaysWhatAProgramAndWhoMustDo(t *testing.T) {
	t.Parallel()
	classes := map[Class]string{
		ClassDone:    `0 268490004`,
		ClassRetry:   `-1 268490011 268490012 268490014 268490015 45011`,
		ClassRefresh: `40001 40014 42001`,
	}
	who := map[Who]string{
		WhoNobody: `0 268490004 268490005 268490011 268490012 268490014 268490015 45011`,
		WhoWeChat: `-1`,
		WhoUser:   `268490006 268490009 690000000 40029 40163 40226 87009`,
		WhoOperator: `268490007 268490008 268490013 268490018 268490019 268490020 268490021 268490022 268490023
			40001 40013 40014 40125 40164 40243 41002 42001 45009 48001 48004 50002 61003 61004 61007`,
	}
	for _, row := range Codes() {
		if want := keyOf(classes, row.Code, ClassGiveUp); row.Class != want {
			t.Errorf("%d: %v, want %v", row.Code, row.Class, want)
		}
		if want := keyOf(who, row.Code, WhoDeveloper); row.Who != want {
			t.Errorf("%d: %v, want %v", row.Code, row.Who, want)
		}
	}
	retried := `-15003 -15014 -15020 -15021`
	for _, row := range ClientCodes() {
		if want := keyOf(map[Class]string{ClassRetry: retried}, row.Code, ClassGiveUp); row.Class != want {
			t.Errorf("client %d: %v, want %v", row.Code, row.Class, want)
		}
	}
}

// keyOf is the key under which code is listed.
func keyOf[K comparable](lists map[K]string, code int, otherwise K) K {
	for key, list := range lists {
		if slices.Contains(strings.Fields(list), strconv.Itoa(code)) {
			return key
		}
	}
	return otherwise
}

func TestEveryCodeIsExplainedInBothLanguagesOnce(t *testing.T) {
	t.Parallel()
	for _, rows := range [][]CodeInfo{Codes(), ClientCodes(), TextErrors()} {
		seen := map[string]bool{}
		for _, row := range rows {
			key := strconv.Itoa(row.Code) + row.Says
			if row.Code != 0 {
				key = strconv.Itoa(row.Code)
			}
			if seen[key] || strings.Contains(row.Who.String()+row.Class.String(), "(") { // who(5), class(4): no constant
				t.Errorf("%+v", row)
			}
			seen[key] = true
			english, chinese := []string{row.Meaning, row.Cause, row.Advice}, []string{row.MeaningZH, row.CauseZH, row.AdviceZH}
			for i := range english {
				if english[i] == "" || chinese[i] == "" || isChinese(english[i]) && !strings.ContainsAny(english[i], "数虚开核") || !isChinese(chinese[i]) {
					t.Errorf("%d: %q, %q", row.Code, english[i], chinese[i])
				}
			}
		}
	}
}

func isChinese(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= 0x4e00 && r <= 0x9fff })
}

func TestAnErrorThatIsToldInWordsIsFound(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"requestVirtualPayment:fail INVALID_PLATFORM":   "this device cannot pay",
		"requestVirtualPayment:fail No Permission":      "this device cannot pay",
		"暂不支持非中国大陆地区苹果账号支付。":                            "the Apple account is not of mainland China",
		"fail PRODUCT_ID_NOT_EXIST":                     "no such product",
		"fail NOT_ENABLE":                               "not switched on",
		"签名字段[pay_sig]为空 rid: 1-2-3":                    "pay_sig is missing",
		"请求包收到是空的":                                      "empty request",
		"SYSTEM_ERROR&midas_err_code=1003-600001-35506": "the contract belongs to the other environment",
	} {
		if got, ok := LookupText(message); !ok || got.Meaning != want {
			t.Errorf("%s: %q %t", message, got.Meaning, ok)
		}
	}
	for _, message := range []string{"", "ok", "fail cancel"} {
		if got, ok := LookupText(message); ok {
			t.Errorf("%q: %s", message, got.Meaning)
		}
	}
	if len(TextErrors()) != 7 {
		t.Errorf("%d errors in words", len(TextErrors()))
	}
}

func TestACopyOfTheCatalogueIsTheCallers(t *testing.T) {
	t.Parallel()
	Codes()[0].Code, ClientCodes()[0].Code, TextErrors()[0].Says = 7, 7, "x"
	if Codes()[0].Code != 0 || ClientCodes()[0].Code != 1001 || TextErrors()[0].Says == "x" {
		t.Error("the catalogue was changed through its copy")
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

func FuzzLookupText(f *testing.F) {
	for _, row := range append(TextErrors(), ClientCodes()...) {
		f.Add(row.Says)
	}
	f.Fuzz(func(t *testing.T, message string) {
		got, ok := LookupText(message)
		if _, still := LookupText("x" + message + " rid: 1-2-3"); ok != (got.Meaning != "") || ok && !still {
			t.Fatalf("%q: %+v %t, with words around it %t", message, got, ok, still)
		}
	})
}
