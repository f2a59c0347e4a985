package xpay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// AppKeys are the AppKeys of one environment around the time at which the AppKey is changed (虚拟支付 → 基本配置). WeChat
// knows one of them, changes at an instant of its own, and answers 268490003 to every other.
//
// A Client whose Merchant has them sends a call that was refused so once more: the identical bytes, signed with another
// key. From then on everything is signed with the key that WeChat took, the paySig for the phone included. When
// WeChat takes neither, the call fails as it would with one key, and is not repeated; until WeChat takes one again, each
// call is sent once, with the keys in turn. One call at a time finds out, and calls that begin meanwhile wait for it: only
// those that were under way when WeChat changed are refused and repeated.
//
// The zero AppKeys has no key. It is safe for concurrent use, must not be copied, and prints without its keys.
type AppKeys struct {
	// Renew is called before another key is tried and may Set newer ones; it limits itself. nil: there are none.
	Renew func(ctx context.Context)

	mu    sync.Mutex
	trial chan struct{} // closed when the trial under way ends; nil when there is none
	keys  *keyring      // nil before the first Set; a second pointer, so that no verb of fmt reaches the text through a Merchant
}

type keyring struct {
	known   []string // newest first
	signs   string   // the one that WeChat took last; before that, the newest
	refused []string // those of known that WeChat refused since it last took one
}

// NewRotatingMerchant is NewMerchant for an AppKey that may change. The keys must be of env; one must be Set already.
func NewRotatingMerchant(offerID string, env Env, keys *AppKeys) (Merchant, error) {
	m, err := NewMerchant(offerID, env, keys.signing())
	m.keys = keys
	return m, err
}

// Set says which keys are known: the newest, and those before it. The key that signs goes on signing, also when it is
// not among them, until WeChat refuses it: nobody has said when WeChat changes, and somebody may have put in a slip and
// corrected it meanwhile. Empty keys are left out; to Set none changes nothing.
func (k *AppKeys) Set(newest string, before ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := &keyring{}
	for _, key := range append([]string{newest}, before...) {
		next.add(key)
	}
	if len(next.known) == 0 {
		return
	}
	if old := k.keys; old != nil && old.signs != "" && !slices.Contains(old.refused, old.signs) {
		next.add(old.signs)
		next.signs = old.signs
	}
	if k.keys != nil {
		next.refused = slices.DeleteFunc(k.keys.refused, func(key string) bool { return !slices.Contains(next.known, key) })
	}
	if next.signs == "" {
		next.signs = next.known[0]
		if key, ok := next.untried(); ok {
			next.signs = key
		}
	}
	k.keys = next
}

func (r *keyring) add(key string) {
	if key != "" && !slices.Contains(r.known, key) {
		r.known = append(r.known, key)
	}
}

// untried is the newest key that WeChat has not refused since it last took one.
func (r *keyring) untried() (string, bool) {
	for _, key := range r.known {
		if !slices.Contains(r.refused, key) {
			return key, true
		}
	}
	return "", false
}

// signing is the key to sign with now; "" when there is none.
func (k *AppKeys) signing() string {
	if k == nil {
		return ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		return ""
	}
	return k.keys.signs
}

// all are the known keys, newest first.
func (k *AppKeys) all() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.keys.known)
}

// settled is the key to sign a call with, once the trial of another call has ended. It waits no longer than ctx.
func (k *AppKeys) settled(ctx context.Context) string {
	k.mu.Lock()
	trial := k.trial
	k.mu.Unlock()
	if trial != nil {
		select {
		case <-trial:
		case <-ctx.Done():
		}
	}
	return k.signing()
}

// begin begins a trial when no other is under way; ok is false when ctx ended before.
func (k *AppKeys) begin(ctx context.Context) (end func(), ok bool) {
	mine := make(chan struct{})
	for {
		k.mu.Lock()
		other := k.trial
		if other == nil {
			k.trial = mine
			k.mu.Unlock()
			return func() { k.end(mine) }, true
		}
		k.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, false
		}
	}
}

func (k *AppKeys) end(trial chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trial = nil
	close(trial)
}

// another returns the key to try after WeChat refused one; ok is false when it has refused all.
func (k *AppKeys) another(ctx context.Context, refused string) (key string, ok bool) {
	k.refuse(refused)
	if key, ok := k.found(refused); ok {
		return key, true
	}
	if k.Renew != nil {
		k.Renew(ctx)
	}
	if key, ok := k.found(refused); ok {
		return key, true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys.untried()
}

// found is the key that signs now, when that is not the refused one and WeChat has not refused it: another call or a
// renewal has changed it.
func (k *AppKeys) found(refused string) (key string, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.keys
	return r.signs, r.signs != refused && !slices.Contains(r.refused, r.signs)
}

// refuse notes that WeChat does not take a key. When it has refused all, the next call is signed with the next one.
func (k *AppKeys) refuse(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.keys
	if slices.Contains(r.known, key) && !slices.Contains(r.refused, key) {
		r.refused = append(r.refused, key)
	}
	if _, left := r.untried(); left {
		return
	}
	r.signs = r.known[(slices.Index(r.known, key)+1)%len(r.known)]
}

// works notes that WeChat took the key that signs. An answer to a call that left before the change proves nothing.
func (k *AppKeys) works(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys.signs == key {
		k.keys.refused = nil
	}
}

// took notes which key WeChat took after it had refused another.
func (k *AppKeys) took(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys.signs, k.keys.refused = key, nil
}

func (k *AppKeys) String() string             { return "AppKeys [redacted]" }
func (k *AppKeys) GoString() string           { return k.String() }
func (k *AppKeys) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }
func (k *AppKeys) LogValue() slog.Value       { return slog.StringValue(k.String()) }

// sendSigned sends once, and once more with another AppKey when WeChat refuses the signature. When it refuses both, the
// error is that of the first.
func (c *Client) sendSigned(ctx context.Context, e endpoint, r request, token string, body []byte) (answer, error) {
	keys := c.Merchant.keys
	key := keys.signing()
	if e.paySig {
		key = keys.settled(ctx)
	}
	a, err := c.send(ctx, e, r, token, key, body)
	if !wrongPaySig(e, err) {
		if e.paySig && checked(err) {
			keys.works(key)
		}
		return a, err
	}
	end, ok := keys.begin(ctx)
	if !ok {
		return a, err
	}
	defer end()
	other, ok := keys.another(ctx, key)
	if !ok {
		return a, err
	}
	again, errAgain := c.send(ctx, e, r, token, other, body)
	switch {
	case wrongPaySig(e, errAgain):
		keys.refuse(other)
		return a, err
	case checked(errAgain):
		keys.took(other)
	}
	return again, errAgain
}

// wrongPaySig reports whether WeChat refused the merchant's signature. Where it checks the user's too, its text tells
// which one is meant (spec 6.1).
func wrongPaySig(e endpoint, err error) bool {
	var refusal *Error
	if !e.paySig || !errors.As(err, &refusal) || refusal.Code != CodeWrongSignature {
		return false
	}
	return !e.userSig || strings.Contains(refusal.Message, "pay_sig")
}

// checked reports whether WeChat took the signature: it did what it was asked, or found fault with what was asked. Nobody
// knows what it looks at first where it is busy, limits, or refuses who calls (spec 6.1, 6.3), and an unknown code says nothing.
func checked(err error) bool {
	var refusal *Error
	if !errors.As(err, &refusal) {
		return err == nil
	}
	switch refusal.Code {
	case systemError, CodeWrongSignature, calledTooOften, noSessionKey, accountUnfinished:
		return false
	}
	_, ofXpay := find(xpayCodes[:], refusal.Code)
	_, ofSubscriptions := find(subscribeCodes[:], refusal.Code)
	return ofXpay || ofSubscriptions
}
