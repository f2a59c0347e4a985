package wechatsim

import (
	"net/http"
	"strings"
)

// errNoData is WeChat's answer for whatever it cannot find: a wrong number, openid or env (spec 4.6 and trap 15).
func errNoData() *refusal { return refuse(268490002, "数据不存在") }

func errField(name string) *refusal { return refuse(268490002, name+"字段错误") }

// xpay wraps an API under /xpay with what they share: method, body, token, pay_sig by the env in the body.
// sigRequired is false on the rows where the documents contradict each other: a pay_sig is then verified if present
// (spec 4.1).
func (s *Sim) xpay(sigRequired bool, play func(fields, int) (any, *refusal)) player {
	return func(in request) (any, *refusal) {
		f, no := s.open(in)
		if no != nil {
			return nil, no
		}
		env, no := f.env()
		if no != nil {
			return nil, no
		}
		if no := s.checkPaySig(in, env, sigRequired); no != nil {
			return nil, no
		}
		if !f.has("env") {
			return nil, errField("env")
		}
		return play(f, env)
	}
}

// production wraps an API that exists in production alone. Its body needs no env and is signed with the AppKey of env 0;
// an env that is there all the same chooses the key.
func (s *Sim) production(sigRequired bool, play func(fields) (any, *refusal)) player {
	return func(in request) (any, *refusal) {
		f, no := s.open(in)
		if no != nil {
			return nil, no
		}
		env, no := f.env()
		if no != nil {
			return nil, no
		}
		if no := s.checkPaySig(in, env, sigRequired); no != nil {
			return nil, no
		}
		return play(f)
	}
}

// open checks method, length, token and JSON, in this order.
func (s *Sim) open(in request) (fields, *refusal) {
	if in.method != http.MethodPost {
		return nil, refuse(43002, "require POST method")
	}
	if in.chunked {
		return nil, &refusal{Status: http.StatusPreconditionFailed}
	}
	if no := s.checkToken(in.query.Get("access_token")); no != nil {
		return nil, no
	}
	return in.object()
}

// env gives the env of the body; an absent one counts as 0 for the choice of the key and is refused afterwards.
func (f fields) env() (int, *refusal) {
	env, ok := f.whole("env")
	if f.has("env") && (!ok || env != 0 && env != 1) {
		return 0, errField("env")
	}
	return int(env), nil
}

func (s *Sim) checkPaySig(in request, env int, required bool) *refusal {
	got := in.query.Get("pay_sig")
	if got == "" {
		if required || in.query.Has("pay_sig") {
			return refuse(268490003, "签名字段[pay_sig]为空")
		}
		return nil
	}
	if !s.merchantSigned(env, got, in.path, in.body) {
		return refuse(268490003, "支付签名(pay_sig)校验失败")
	}
	return nil
}

// merchantSigned reports whether sig was made over uri and body with the AppKey of env, and no fault makes that key a
// wrong one. Where a phone signs, uri is no path.
func (s *Sim) merchantSigned(env int, sig, uri string, body []byte) bool {
	key, known := s.cfg.AppKeys[env]
	if other := s.cashier[env]; other != "" && !strings.HasPrefix(uri, "/") {
		key = other
	}
	return known && sameSig(sig, paySig(key, uri, body)) && !s.takeFault(s.faults.Access.appKey(env))
}

// invalidURL answers every path WeChat does not have.
func (s *Sim) invalidURL(request) (any, *refusal) { return nil, refuse(40066, "invalid url") }

// find gives the payment order that order_id or wx_order_id names; exactly one of them may be in the body. index is
// the payment meant, -1 for an unpaid order.
func (s *Sim) find(f fields, env int) (p place, no *refusal) {
	id, byID, no := f.orderNumber()
	if no != nil {
		return place{}, no
	}
	p = s.locate(id, byID)
	if p.order == nil || p.refund || p.order.Env != env {
		return place{}, errNoData()
	}
	return p, nil
}

// orderNumber gives the one number in the body and whether it is the merchant's.
func (f fields) orderNumber() (id string, byID bool, no *refusal) {
	name := "order_id"
	switch byID = f.has(name); {
	case byID && f.has("wx_order_id"):
		return "", false, errNoData()
	case !byID && !f.has("wx_order_id"):
		return "", false, refuse(268490002, "order_id和wx_order_id不能同时为空")
	case !byID:
		name = "wx_order_id"
	}
	id, ok := f.text(name)
	if !ok || id == "" {
		return "", false, errField(name)
	}
	return id, byID, nil
}

// openID gives the openid of the body; an empty one is 268490001, spec 6.1.
func (f fields) openID() (string, *refusal) {
	id, ok := f.text("openid")
	switch {
	case !ok:
		return "", errField("openid")
	case id == "":
		return "", refuse(268490001, "openid错误")
	}
	return id, nil
}
