package wechatsim

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// Config describes one mini-program, its virtual-payment application and its message push, as its owner would enter
// them in WeChat's consoles, and the world the simulator runs in.
type Config struct {
	AppID, AppSecret, OfferID string
	AppKeys                   map[int]string // by env: 0 production, 1 sandbox
	Goods                     []Goods        // what is published, in every env
	CoinFen                   int64          // price of one coin in fen; 0 means 10
	Push                      Push
	OriginalID                string // ToUserName of pushes; empty means gh_0123456789ab
	UnionIDs                  bool   // login also answers a unionid

	Transport http.RoundTripper   // sends the pushes; nil means http.DefaultTransport
	Now       func() time.Time    // nil means time.Now
	Advance   func(time.Duration) // moves Now; nil: the clock cannot be moved through the simulator
	Seed      uint64              // ids, nonces and session keys derive from it; 0 means random
	Journal   io.Writer           // gets one JSON line per change; nil: nothing is kept
	Log       *slog.Logger        // nil: silent; never logs keys, bodies, openids

	Released    bool          // a released mini-program: env 1 is refused with -15011
	RefundDelay time.Duration // from refund_order to its push and final state; 0 means 3 s

	WithdrawDelay time.Duration  // from create_withdraw_order to its end; 0 means 3 s
	ChargeDelay   time.Duration  // from submit_subscribe_pay_order to its push; 0 means 3 s
	Subscriptions map[string]int // which of the goods are subscriptions: their periods of 7, 31, 93 or 372 days

	GoodsTaskDelay time.Duration // from start_upload_goods or start_publish_goods to its end; 0 means 5 s
	PublishDelay   time.Duration // from there until a new product can be sold (-15014 before); 0 means 10 minutes
	SensitiveWords []string      // goods whose name, remark or item_url has one are refused with 268490007
	BillDelay      time.Duration // how long bills and exports are being made; 0 means 10 s
	AllowedIPs     AllowedIPs    // who may fetch tokens; empty: everybody
}

// Goods is one published product (道具).
type Goods struct {
	ID    string
	Price int64 // fen, per unit
}

// Push is the message-push configuration. Format "" means "xml", WeChat's default; Mode "" means "plain".
type Push struct{ URL, Token, EncodingAESKey, Format, Mode string }

var (
	goodsIDForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	aesKeyForm  = regexp.MustCompile(`^[0-9A-Za-z]{43}$`)
)

// own copies what the caller could change later behind the simulator's back. SetGoods copies Goods.
func (c Config) own() Config {
	c.AppKeys, c.Subscriptions = maps.Clone(c.AppKeys), maps.Clone(c.Subscriptions)
	c.SensitiveWords, c.AllowedIPs.IPs = slices.Clone(c.SensitiveWords), slices.Clone(c.AllowedIPs.IPs)
	return c
}

// withDefaults fills what may be left empty.
func (c Config) withDefaults() Config {
	c.CoinFen = orElse(c.CoinFen, coinFenUnset)
	c.OriginalID = orElse(c.OriginalID, originalIDDef)
	c.RefundDelay = orElse(c.RefundDelay, refundDelayDefault)
	c.WithdrawDelay = orElse(c.WithdrawDelay, withdrawDelayDefault)
	c.ChargeDelay = orElse(c.ChargeDelay, chargeDelayDefault)
	c.GoodsTaskDelay = orElse(c.GoodsTaskDelay, goodsTaskDefault)
	c.PublishDelay = orElse(c.PublishDelay, publishDelayDefault)
	c.BillDelay = orElse(c.BillDelay, billDelayDefault)
	c.Push.Format = orElse(c.Push.Format, "xml")
	c.Push.Mode = orElse(c.Push.Mode, "plain")
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// check names everything that is missing or malformed, not only the first.
func (c Config) check() error {
	var errs []error
	bad := func(when bool, format string, args ...any) {
		if when {
			errs = append(errs, fmt.Errorf("wechatsim: "+format, args...))
		}
	}
	bad(c.AppID == "", "Config.AppID is missing")
	bad(c.AppSecret == "", "Config.AppSecret is missing")
	bad(c.OfferID == "", "Config.OfferID is missing")
	bad(len(c.AppKeys) == 0, "Config.AppKeys is missing: give env 0, and env 1 for the sandbox")
	for env, key := range c.AppKeys {
		bad(env != 0 && env != 1, "Config.AppKeys has env %d; only 0 and 1 exist", env)
		bad(key == "", "Config.AppKeys[%d] is empty", env)
	}
	bad(c.CoinFen < 0, "Config.CoinFen is negative")
	bad(c.RefundDelay < 0, "Config.RefundDelay is negative")
	bad(c.WithdrawDelay < 0, "Config.WithdrawDelay is negative")
	bad(c.ChargeDelay < 0, "Config.ChargeDelay is negative")
	for _, id := range slices.Sorted(maps.Keys(c.Subscriptions)) {
		known := slices.Contains([]int{7, 31, 93, 372}, c.Subscriptions[id])
		bad(!known, "Config.Subscriptions[%q] is none of 7, 31, 93, 372 days", id)
	}
	bad(c.GoodsTaskDelay < 0, "Config.GoodsTaskDelay is negative")
	bad(c.PublishDelay < 0, "Config.PublishDelay is negative")
	bad(c.BillDelay < 0, "Config.BillDelay is negative")
	for i, word := range c.SensitiveWords {
		bad(word == "", "Config.SensitiveWords[%d] is empty", i)
	}
	if err := c.AllowedIPs.check(); err != nil {
		bad(true, "Config.AllowedIPs: %w", err)
	}
	return errors.Join(append(errs, checkGoods(c.Goods), c.Push.check())...)
}

func checkGoods(goods []Goods) error {
	var errs []error
	seen := make(map[string]bool, len(goods))
	for i, g := range goods {
		switch {
		case !goodsIDForm.MatchString(g.ID):
			errs = append(errs, fmt.Errorf("wechatsim: Config.Goods[%d].ID %q is not 1 to 64 letters, digits, _ or -", i, g.ID))
		case g.Price <= 0:
			errs = append(errs, fmt.Errorf("wechatsim: Config.Goods[%d].Price is not above 0 fen", i))
		case seen[g.ID]:
			errs = append(errs, fmt.Errorf("wechatsim: Config.Goods[%d].ID %q is there twice", i, g.ID))
		}
		seen[g.ID] = true
	}
	return errors.Join(errs...)
}

func (p Push) check() error {
	var errs []error
	u, err := url.Parse(p.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		errs = append(errs, errors.New("wechatsim: Config.Push.URL is not an absolute http or https URL"))
	}
	if p.Token == "" {
		errs = append(errs, errors.New("wechatsim: Config.Push.Token is missing"))
	}
	if p.Format != "xml" && p.Format != "json" {
		errs = append(errs, fmt.Errorf("wechatsim: Config.Push.Format %q is neither xml nor json", p.Format))
	}
	if p.Mode != "plain" && p.Mode != "aes" {
		errs = append(errs, fmt.Errorf("wechatsim: Config.Push.Mode %q is neither plain nor aes", p.Mode))
	}
	if p.Mode == "aes" && !aesKeyForm.MatchString(p.EncodingAESKey) {
		errs = append(errs, errors.New("wechatsim: Config.Push.EncodingAESKey is not 43 letters and digits"))
	}
	return errors.Join(errs...)
}

// aesKey decodes EncodingAESKey. The decoder is lenient because the unused low bits of the 43rd character may be
// set, spec 3.7.
func (p Push) aesKey() ([]byte, error) {
	if p.Mode != "aes" {
		return nil, nil
	}
	return base64.StdEncoding.DecodeString(p.EncodingAESKey + "=")
}

func orElse[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
