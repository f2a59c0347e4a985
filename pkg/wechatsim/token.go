package wechatsim

import "time"

// tokens is every access token that is still worth an answer of its own. The last of List is the current one.
type tokens struct {
	List     []token `json:"list"`
	Day      string  `json:"day,omitempty"` // China date that Forced counts
	Forced   int     `json:"forced,omitempty"`
	ForcedAt instant `json:"forcedAt,omitempty"`
}

type token struct {
	Text    string  `json:"text"`
	Expires instant `json:"exp"`
	Revoked bool    `json:"revoked,omitempty"` // by a forced refresh: 40001 rather than 42001
}

func (t *tokens) current() *token {
	if len(t.List) == 0 {
		return nil
	}
	return &t.List[len(t.List)-1]
}

type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
}

// stableToken answers POST /cgi-bin/stable_token, spec 8.4: the same token to everyone within its life.
func (s *Sim) stableToken(in request) (any, *refusal) {
	f, no := in.object()
	if no != nil {
		return nil, no
	}
	appid, _ := f.text("appid")
	secret, _ := f.text("secret")
	grant, _ := f.text("grant_type")
	if no := s.checkApp(appid, secret, grant, "client_credential"); no != nil {
		return nil, no
	}
	force := false
	if raw, there := f["force_refresh"]; there {
		if force = string(raw) == "true"; !force && string(raw) != "false" {
			return nil, refuse(47001, "data format error")
		}
	}
	now := s.cfg.Now()
	t := s.tokenFor(now, force)
	return tokenAnswer{AccessToken: t.Text, ExpiresIn: int64(t.Expires.time().Sub(now) / time.Second)}, nil
}

// tokenFor gives the current token, after replacing it if it nears its end or a refresh is forced in time.
func (s *Sim) tokenFor(now time.Time, force bool) *token {
	cur := s.tokens.current()
	switch {
	case cur == nil:
	case force && s.mayForce(now):
		s.tokens.Forced++
		s.tokens.ForcedAt = at(now)
		for i := range s.tokens.List {
			s.tokens.List[i].Revoked = true
		}
	case cur.Expires.time().Sub(now) < tokenRenewBefore:
		if now.Before(cur.Expires.time()) { // still alive: it works five more minutes beside the new one
			cur.Expires = at(now.Add(tokenOverlap))
		}
	default:
		return cur
	}
	s.issueToken(now)
	return s.tokens.current()
}

func (s *Sim) issueToken(now time.Time) {
	fresh := token{Text: "sim_" + s.chance.hex(132), Expires: at(now.Add(tokenLife))}
	s.tokens.List = append(s.tokens.List, fresh)
	if extra := len(s.tokens.List) - tokenRememberedMax; extra > 0 {
		s.tokens.List = append([]token{}, s.tokens.List[extra:]...)
	}
	s.record(kindToken, &s.tokens)
}

// mayForce reports whether a forced refresh is within 20 a day and 30 s apart.
func (s *Sim) mayForce(now time.Time) bool {
	if day := inChina(now).Format(time.DateOnly); day != s.tokens.Day {
		s.tokens.Day, s.tokens.Forced = day, 0
	}
	gap := now.Sub(s.tokens.ForcedAt.time())
	return s.tokens.Forced < tokenForcedPerDay && (s.tokens.ForcedAt == 0 || gap >= tokenForcedGap)
}

// checkToken decides about access_token in the query of an /xpay call.
func (s *Sim) checkToken(text string) *refusal {
	if text == "" {
		return refuse(41001, "access_token missing")
	}
	for _, t := range s.tokens.List {
		switch {
		case t.Text != text:
		case t.Revoked:
			return refuse(40001, "invalid credential, access_token is invalid or not latest")
		case at(s.cfg.Now()) >= t.Expires:
			return refuse(42001, "access_token expired")
		default:
			return nil
		}
	}
	return refuse(40001, "invalid credential, access_token is invalid or not latest")
}
