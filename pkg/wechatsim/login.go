package wechatsim

import (
	"fmt"
	"net/http"
)

// user is who holds the one valid session_key. An empty Key means no session.
type user struct {
	OpenID string `json:"openid"`
	Key    string `json:"key"`

	Stale []string `json:"stale,omitempty"` // keys that were replaced, newest last: signing with them is 268490009
}

// loginCode is what wx.login gave to the phone.
type loginCode struct {
	Code    string  `json:"code"`
	OpenID  string  `json:"openid"`
	Expires instant `json:"exp"`
	Used    bool    `json:"used,omitempty"`
}

// Login plays wx.login: it answers a single-use code that lives five minutes, and replaces the user's session_key,
// so whatever was signed with the old one is stale from now on (spec 8.1).
func (s *Sim) Login(openid string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := at(s.cfg.Now())
	s.forgetCodes(now)
	u := s.users[openid]
	if u == nil {
		u = &user{OpenID: openid}
	}
	s.replaceKey(u, s.chance.sessionKey())
	c := &loginCode{Code: s.chance.loginCode(), OpenID: openid, Expires: now.add(codeLife)}
	s.users[openid], s.codes[c.Code] = u, c
	s.codeOrder = append(s.codeOrder, c.Code)
	s.record(kindUser, u)
	s.record(kindCode, c)
	return c.Code
}

// Logout ends the user's session: a payment then answers -15007 until the next login.
func (s *Sim) Logout(openid string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[openid]
	if u == nil {
		return fmt.Errorf("this openid never logged in: %w", ErrUnknown)
	}
	s.replaceKey(u, "")
	s.record(kindUser, u)
	return s.journalErr
}

// forgetCodes drops codes that died long ago; each is looked at once.
func (s *Sim) forgetCodes(now instant) {
	for len(s.codeOrder) > 0 {
		c := s.codes[s.codeOrder[0]]
		if c != nil && now <= c.Expires.add(codeMemory) {
			return
		}
		delete(s.codes, s.codeOrder[0])
		s.codeOrder = s.codeOrder[1:]
	}
}

type sessionAnswer struct {
	OpenID     string `json:"openid"`
	SessionKey string `json:"session_key"`
	UnionID    string `json:"unionid,omitempty"`
}

// code2Session answers GET /sns/jscode2session, spec 8.1. The session_key is the one that is valid now.
func (s *Sim) code2Session(in request) (any, *refusal) {
	q := in.query
	if in.method != http.MethodGet {
		return nil, refuse(43001, "require GET method")
	}
	if no := s.checkApp(q.Get("appid"), q.Get("secret"), q.Get("grant_type"), "authorization_code"); no != nil {
		return nil, no
	}
	c, now := s.codes[q.Get("js_code")], at(s.cfg.Now())
	switch {
	case c == nil:
		return nil, refuse(40029, "invalid code")
	case c.Used:
		return nil, refuse(40163, "code been used")
	case now > c.Expires || s.users[c.OpenID].Key == "":
		return nil, refuse(40029, "invalid code")
	}
	c.Used = true
	s.record(kindCode, c)
	a := sessionAnswer{OpenID: c.OpenID, SessionKey: s.users[c.OpenID].Key}
	if s.cfg.UnionIDs {
		a.UnionID = "u" + hmacHex(s.cfg.OriginalID, c.OpenID)[:27]
	}
	s.loseKey(s.users[c.OpenID])
	return a, nil
}

// loseKey takes the faults that end a session_key after it was answered and before it is used.
func (s *Sim) loseKey(u *user) {
	switch {
	case s.takeFault(&s.faults.Access.KeyReplaced):
		s.replaceKey(u, s.chance.sessionKey())
	case s.takeFault(&s.faults.Access.KeyExpired):
		s.replaceKey(u, "")
	default:
		return
	}
	s.record(kindUser, u)
}

// checkApp checks who asks for a session or a token.
func (s *Sim) checkApp(appid, secret, grant, wantGrant string) *refusal {
	switch {
	case appid == "":
		return refuse(41002, "appid missing")
	case appid != s.cfg.AppID:
		return refuse(40013, "invalid appid")
	case secret == "":
		return refuse(41004, "appsecret missing")
	case !sameSig(secret, s.cfg.AppSecret):
		return refuse(40125, "invalid appsecret")
	case grant != wantGrant:
		return refuse(40002, "invalid grant_type")
	}
	return nil
}
