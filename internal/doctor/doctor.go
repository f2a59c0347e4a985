// Package doctor examines a mini-program's configuration for virtual payment: it asks WeChat harmless questions, plays
// WeChat towards the message-push URL, and says for everything that is wrong what to do, in English and Chinese. It moves
// no money, changes nothing, and prints no secret. It needs nothing but what a real account has; the simulated WeChat is
// examined the same way.
package doctor

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/goodsplan"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

// Status is how a check came out.
type Status string

const (
	OK        Status = "ok"
	Fix       Status = "fix"        // something is wrong, and Fix says what to do
	Unknown   Status = "unknown"    // somebody was asked, or looked at, and that does not settle it
	NotTested Status = "not tested" // nobody was asked: something is missing, or no question exists
)

// Check is one finding.
type Check struct {
	Name   string `json:"check"`
	Status Status `json:"status"`
	What   string `json:"what"`
	WhatZH string `json:"whatZh"`
	Fix    string `json:"fix,omitempty"`
	FixZH  string `json:"fixZh,omitempty"`
}

// Patient is what is examined.
type Patient struct {
	Config   backend.Config
	PushURL  string // the URL (服务器地址) of 消息推送; "": it is not examined
	Format   string // the console's 数据格式, json or xml
	Plain    bool   // the console's 消息加密方式 is 明文模式
	OpenID   string // of a user of the mini-program, for the signed query; "": an invented one
	Catalog  *catalog.Catalog
	Book     *goodsplan.Book
	HTTP     *http.Client
	Now      func() time.Time
	Found    []Check // what was found out before, told first
	Deployed bool    // the doctor runs where the backend runs, so that the address it tested is the backend's
}

// Examine makes every check in order and tells each as it is known. It returns whether nothing has to be fixed.
func Examine(ctx context.Context, p Patient, tell func(Check)) (healthy bool) {
	e := &examination{Patient: p, healthy: true, tell: tell, dates: &dates{}}
	client := *p.HTTP
	client.Transport = e.dates.watch(client.Transport, p.Now)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	e.HTTP = &client
	e.app = &miniprogram.App{ID: p.Config.AppID, Secret: miniprogram.Secret(p.Config.Merchant.AppSecret), HTTP: e.HTTP, BaseURL: p.Config.WeChatURL, Now: p.Now}
	for _, c := range p.Found {
		e.healthy = e.healthy && c.Status != Fix
		tell(c)
	}
	e.config()
	for _, check := range []func(context.Context){e.token, e.keys, e.offer, e.push, e.clock, e.address, e.goods} {
		check(ctx)
	}
	return e.healthy
}

// examination is one run.
type examination struct {
	Patient
	app     *miniprogram.App
	tokenOK bool
	taken   bool // the receiver acknowledged a genuine push
	healthy bool
	tell    func(Check)
	dates   *dates
}

func (e *examination) ok(name, what, zh string) {
	e.tell(Check{Name: name, Status: OK, What: what, WhatZH: zh})
}

func (e *examination) unknown(name, what, zh string) {
	e.tell(Check{Name: name, Status: Unknown, What: what, WhatZH: zh})
}

func (e *examination) notTested(name, what, zh string) {
	e.tell(Check{Name: name, Status: NotTested, What: what, WhatZH: zh})
}

func (e *examination) fix(name, what, zh, fix, fixZH string) {
	e.healthy = false
	e.tell(Check{Name: name, Status: Fix, What: e.clean(what), WhatZH: e.clean(zh), Fix: fix, FixZH: fixZH})
}

// clean keeps every secret of the configuration out of what is told: a server may echo it.
func (e *examination) clean(text string) string {
	m := e.Config.Merchant
	secrets := append([]string{m.AppSecret, m.AppKeys.Production, m.AppKeys.Sandbox}, e.Config.Push.Tokens...)
	for _, secret := range append(secrets, e.Config.Push.AESKeys...) {
		if len(secret) >= 3 {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	return text
}

// config says everything that is missing. The other checks go on with what is there.
func (e *examination) config() {
	cfg := e.Config
	cfg.Groups = backend.GroupMerchant | backend.GroupPush
	if err := cfg.Check(); err != nil {
		what := strings.ReplaceAll(err.Error(), "\n", "; ")
		e.fix("config", what, "配置不完整："+what, "complete the configuration file, or give the flags", "补全配置文件，或用参数给出")
		return
	}
	e.ok("config", "the configuration is complete", "配置完整")
}

// unguessable is the end of a number that nobody uses.
func unguessable() string { return strings.ToLower(rand.Text()[:16]) }
