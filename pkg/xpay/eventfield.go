package xpay

import (
	"crypto/hmac"
	"iter"
)

// Field reads a value by its path, also one that this package does not know: e.Field("GoodsInfo", "NewPrice"). found is
// false when it is missing or null, or has fields inside instead of a value, and when Raw can not be read. Of a list it is
// the first element. Names are compared exactly. Raw is parsed anew at each call.
func (e Event) Field(path ...string) (text string, found bool) {
	n, err := parse(e.Raw)
	if err != nil {
		return "", false
	}
	for _, name := range path {
		n = n.child(name)
	}
	if n == nil || len(n.kids) > 0 || len(path) == 0 {
		return "", false
	}
	return n.text, true
}

// Fields walks all values of the push in the order they were written, each with its path: "GoodsInfo.Quantity", "1".
// Elements of a list share their path; null and what can not be read are left out.
func (e Event) Fields() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if n, err := parse(e.Raw); err == nil {
			n.walk("", yield)
		}
	}
}

func (n *node) walk(prefix string, yield func(string, string) bool) bool {
	for _, kid := range n.kids {
		path := prefix + kid.name
		switch {
		case kid.null:
		case len(kid.kids) > 0:
			if !kid.walk(path+".", yield) {
				return false
			}
		case !yield(path, kid.text):
			return false
		}
	}
	return true
}

// PayEventSig is the signature inside pushes of mini-games: lower-case hex of HMAC-SHA256(appKey, event + "&" + payload).
// No xpay_* event of a mini-program has one (spec 3.4, V3e). An empty key or event gives "".
func PayEventSig(appKey, event, payload string) string { return PaySig(appKey, event, []byte(payload)) }

// PayEventSigFits verifies MiniGame.PayEventSig of a push that carries one. carried is false for all others, and that is
// the rule: never demand it of a mini-program's push (spec 3.4).
func (m Merchant) PayEventSigFits(e Event) (carried, fits bool) {
	got, carried := e.Field("MiniGame", "PayEventSig")
	payload, _ := e.Field("MiniGame", "Payload")
	want := m.PaySig(e.Name, []byte(payload))
	return carried, want != "" && hmac.Equal([]byte(got), []byte(want))
}
