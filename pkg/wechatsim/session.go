package wechatsim

import "net/http"

// replaceKey gives the user a new session_key and remembers the old one as stale.
func (s *Sim) replaceKey(u *user, key string) {
	if u.Key != "" {
		u.Stale = append(u.Stale, u.Key)
		u.Stale = append([]string(nil), u.Stale[max(0, len(u.Stale)-staleKeysMax):]...)
	}
	u.Key = key
}

// signedStale reports whether sig was made with a key that was replaced.
func (u *user) signedStale(sig string, body []byte) bool {
	for _, key := range u.Stale {
		if sameSig(sig, userSig(key, body)) {
			return true
		}
	}
	return false
}

func errOpenID() *refusal { return refuse(268490001, "openid错误") }

// xpayUser is xpay for the APIs that carry the user's signature beside the merchant's (spec 4.1).
func (s *Sim) xpayUser(play func(fields, int) (any, *refusal)) player {
	return func(in request) (any, *refusal) {
		return s.xpay(true, func(f fields, env int) (any, *refusal) {
			if no := s.checkUserSig(in, f); no != nil {
				return nil, no
			}
			return play(f, env)
		})(in)
	}
}

// checkUserSig checks signature with the one valid session_key. A signature by a replaced key, or no session at all,
// is 268490009; any other wrong one 268490003.
func (s *Sim) checkUserSig(in request, f fields) *refusal {
	openid, no := f.openID()
	if no != nil {
		return no
	}
	u, got := s.users[openid], in.query.Get("signature")
	switch {
	case got == "":
		return refuse(268490003, "签名字段[signature]为空")
	case u == nil:
		return errOpenID()
	case u.Key != "" && sameSig(got, userSig(u.Key, in.body)):
		return nil
	case u.Key == "" || u.signedStale(got, in.body):
		return refuse(268490009, "session_key不存在或已过期")
	}
	return refuse(268490003, "签名校验失败")
}

// checkSession answers GET /wxa/checksession, spec 8.2.
func (s *Sim) checkSession(in request) (any, *refusal) {
	if _, no := s.sessionOf(in); no != nil {
		return nil, no
	}
	return okAnswer{ErrMsg: "ok"}, nil
}

type resetAnswer struct {
	ErrCode    int    `json:"errcode"`
	ErrMsg     string `json:"errmsg"`
	OpenID     string `json:"openid"`
	SessionKey string `json:"session_key"`
}

// resetUserSessionKey answers GET /wxa/resetusersessionkey, spec 8.3: the old key dies at once.
func (s *Sim) resetUserSessionKey(in request) (any, *refusal) {
	u, no := s.sessionOf(in)
	if no != nil {
		return nil, no
	}
	s.replaceKey(u, s.chance.sessionKey())
	s.record(kindUser, u)
	return resetAnswer{ErrMsg: "ok", OpenID: u.OpenID, SessionKey: u.Key}, nil
}

// sessionOf gives the user whose live session_key signed the empty text (vector C1).
func (s *Sim) sessionOf(in request) (*user, *refusal) {
	if in.method != http.MethodGet {
		return nil, refuse(43001, "require GET method")
	}
	if no := s.checkToken(in.query.Get("access_token")); no != nil {
		return nil, no
	}
	u := s.users[in.query.Get("openid")]
	switch {
	case u == nil:
		return nil, refuse(40003, "invalid openid")
	case in.query.Get("sig_method") != "hmac_sha256":
		return nil, refuse(87008, "invalid sig_method")
	case u.Key == "" || !sameSig(in.query.Get("signature"), userSig(u.Key, nil)):
		return nil, refuse(87009, "invalid signature")
	}
	return u, nil
}
