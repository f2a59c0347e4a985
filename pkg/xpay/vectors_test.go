package xpay

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Tests read the vectors of spec 3.9 from testdata/vectors; its README says who computed them.

type signatureVector struct {
	ID, URI, AppKey, SessionKey, Body, PaySig, Signature string
	Wrong                                                []mistake
}

// mistake is a wrong value, and the id of what people do to get it.
type mistake struct {
	ID, Mistake, How, Vector, PaySig, Signature string
	Trap                                        int
}

type otherVector struct{ ID, AppKey, Event, Payload, PayEventSig string }

func readVectors[T any](t testing.TB, name string) []T {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	var rows []T
	if err := json.Unmarshal(raw, &rows); err != nil || len(rows) == 0 {
		t.Fatal(name, err, len(rows))
	}
	return rows
}

// pushMessage is the plain event of a vector of push.json.
func pushMessage(t testing.TB, id string) string {
	t.Helper()
	for _, v := range readVectors[struct{ ID, Message string }](t, "push.json") {
		if v.ID == id {
			return v.Message
		}
	}
	t.Fatal("no vector", id)
	return ""
}

// The ids of spec 3.9 that are signatures.
var signatureIDs = []string{"V1", "V2", "V2b", "V3a", "V3b", "V3c", "V11", "C1", "C2", "C3", "C4", "C5a", "C5b", "C5c", "C5d", "C5e", "C5f"}

func TestSignaturesReproduceThePublishedVectors(t *testing.T) {
	t.Parallel()
	vectors := readVectors[signatureVector](t, "signatures.json")
	if len(vectors) != len(signatureIDs) {
		t.Fatalf("%d vectors, the spec has %d", len(vectors), len(signatureIDs))
	}
	for i, v := range vectors {
		if v.ID != signatureIDs[i] {
			t.Errorf("vector %d is %s, not %s", i, v.ID, signatureIDs[i])
		}
		if got := PaySig(v.AppKey, v.URI, []byte(v.Body)); got != v.PaySig {
			t.Errorf("%s: pay_sig %s, want %s", v.ID, got, v.PaySig)
		}
		if got := UserSignature(v.SessionKey, []byte(v.Body)); got != v.Signature {
			t.Errorf("%s: signature %s, want %s", v.ID, got, v.Signature)
		}
	}
}

func TestNoKnownMistakeIsMadeHere(t *testing.T) {
	t.Parallel()
	rows := readVectors[mistake](t, "mistakes.json")
	for _, v := range readVectors[signatureVector](t, "signatures.json") {
		pay, user := PaySig(v.AppKey, v.URI, []byte(v.Body)), UserSignature(v.SessionKey, []byte(v.Body))
		wrong := v.Wrong
		for _, row := range rows {
			if row.Vector == v.ID {
				wrong = append(wrong, row)
			}
		}
		for _, w := range wrong {
			if w.Mistake == "" || w.PaySig == "" && w.Signature == "" {
				t.Errorf("%s: an empty row %+v", v.ID, w)
			}
			if w.PaySig != "" && w.PaySig == pay || w.Signature != "" && w.Signature == user {
				t.Errorf("%s: the mistake %s is made", v.ID, w.Mistake)
			}
		}
	}
}

// The mistakes of which a wrong value is published, by the id of that value: they come out when they are made on purpose.
func TestPublishedWrongValuesComeFromTheirMistakes(t *testing.T) {
	t.Parallel()
	const uri, body = "/xpay/query_user_balance", `{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}`
	made := map[string]string{
		"V1-a": PaySig("12345", uri[1:], []byte(body)), "V1-b": PaySig("12345", uri+"?access_token=x", []byte(body)),
		"V1-c":   PaySig("12345", uri, []byte(`{"openid":"xxx","user_ip":"127.0.0.1","env":0}`)),
		"V1-e":   PaySig("12345", uri, []byte(body+"\n")),
		"V1-d":   UserSignature("\xf6\x10\x1b\xfc\xd1\x18\x52\x59\x1a\x30\x11\x2c\x98\x58\x33\x8a", []byte(body)),
		"C3-key": PaySig("12345", "requestVirtualPayment", []byte(`{"offerId":"123","buyQuantity":10,"env":1,"currencyType":"CNY","outTradeNo":"COIN20260801001","attach":"testdata"}`)),
		"D1":     PaySig("app_key_123", "requestVirtualPayment", []byte(`{"offerId":"1450019686","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"product_001","goodsPrice":100,"outTradeNo":"order12345","attach":"attach\u4e2d\u6587"}`)),
		"D2":     PaySig("test_app_key_1234567890", "requestVirtualPayment", []byte(`{"offerId":"1234567890","buyQuantity":1,"env":0,"currencyType":"CNY","platform":"ios","productId":"a\u003cb\u003e\u0026c","goodsPrice":100,"outTradeNo":"ORDER20260101002","attach":"x\u0026y"}`)),
	}
	count := 0
	for _, v := range readVectors[signatureVector](t, "signatures.json") {
		for _, w := range v.Wrong {
			count++
			if got := made[w.ID]; got != w.PaySig && got != w.Signature {
				t.Errorf("%s: %s, published is %s %s", w.ID, got, w.PaySig, w.Signature)
			}
		}
	}
	if count != len(made) {
		t.Errorf("%d published wrong values, %d are made here", count, len(made))
	}
}

func TestPayEventSigReproducesV3e(t *testing.T) {
	t.Parallel()
	count := 0
	for _, v := range readVectors[otherVector](t, "others.json") {
		if v.PayEventSig == "" {
			continue
		}
		count++
		if got := PayEventSig(v.AppKey, v.Event, v.Payload); got != v.PayEventSig {
			t.Errorf("%s: %s, want %s", v.ID, got, v.PayEventSig)
		}
	}
	if count != 1 {
		t.Errorf("%d vectors of PayEventSig", count)
	}
	if PayEventSig("", "e", "p") != "" || PayEventSig("k", "", "p") != "" {
		t.Error("an empty key or event signs")
	}
}
