package wechatsim

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Quota limits the calls of one path; 0 is no limit. Beyond Daily (China days) a call answers 45009, beyond PerMinute
// 45011, and beyond PerSecond, which only /xpay paths have, 268490015. Refused calls count too, except those refused
// here.
type Quota struct {
	Daily     int `json:"daily"`
	PerMinute int `json:"perMinute"`
	PerSecond int `json:"perSecond"`
}

// publishedQuotas are those of spec 8.3 and 8.4; no numbers are published for /xpay.
func publishedQuotas() map[string]*meter {
	return map[string]*meter{
		"/cgi-bin/stable_token":    {Path: "/cgi-bin/stable_token", Quota: Quota{Daily: 500_000, PerMinute: 10_000}},
		"/wxa/resetusersessionkey": {Path: "/wxa/resetusersessionkey", Quota: Quota{PerMinute: 60_000}},
	}
}

// meter counts the calls of a path that has a quota.
type meter struct {
	Path   string `json:"path"`
	Quota  Quota  `json:"quota"`
	Day    window `json:"day,omitzero"`
	Minute window `json:"minute,omitzero"`
	Second window `json:"second,omitzero"`
}

// window is one day, minute or second, by its number since 1970, and the calls in it.
type window struct {
	Number int64 `json:"no"`
	Count  int   `json:"count"`
}

// full moves the window on and reports whether max calls were in it; max 0 is no limit.
func (w *window) full(number int64, max int) bool {
	if w.Number != number {
		*w = window{Number: number}
	}
	return max > 0 && w.Count >= max
}

func (m *meter) take(now time.Time) *refusal {
	unix := now.Unix()
	day, minute := m.Day.full((unix+chinaSeconds)/86400, m.Quota.Daily), m.Minute.full(unix/60, m.Quota.PerMinute)
	second := m.Second.full(unix, m.Quota.PerSecond)
	switch {
	case day:
		return errDaily()
	case minute:
		return errMinute()
	case second:
		return errSecond()
	}
	m.Day.Count++
	m.Minute.Count++
	m.Second.Count++
	return nil
}

// admit is asked before any of WeChat's APIs acts: may this address call it, and is its quota left?
func (s *Sim) admit(in request) *refusal {
	if no := s.checkIP(in); no != nil {
		return no
	}
	if no := s.spentQuota(in.path); no != nil {
		return no
	}
	m := s.meters[in.path]
	if m == nil {
		return nil
	}
	no := m.take(s.cfg.Now())
	if no == nil {
		s.record(kindMeter, m)
	}
	return no
}

// spentQuota takes the faults that make a quota look spent, whatever its numbers are.
func (s *Sim) spentQuota(path string) *refusal {
	a := &s.faults.Access
	switch {
	case max(a.DailyQuota, a.MinuteQuota, a.SecondQuota) == 0 || !s.knows(path):
	case s.takeFault(&a.DailyQuota):
		return errDaily()
	case s.takeFault(&a.MinuteQuota):
		return errMinute()
	case strings.HasPrefix(path, "/xpay/") && s.takeFault(&a.SecondQuota):
		return errSecond()
	}
	return nil
}

func errDaily() *refusal { return refuse(45009, apiTexts[45009]) }

func errMinute() *refusal { return refuse(45011, apiTexts[45011]) }

func errSecond() *refusal { return refuse(268490015, apiTexts[268490015]) }

// SetQuota sets the quota of one path, such as "/xpay/query_order"; the zero Quota lifts it. Calls of the running day,
// minute and second stay counted. It fails with ErrUnknown on a path that WeChat does not have, and with ErrInput on a
// negative number, or on a PerSecond outside /xpay.
func (s *Sim) SetQuota(path string, q Quota) error {
	switch {
	case !s.knows(path):
		return fmt.Errorf("no API has the path %q: %w", excerpt(path), ErrUnknown)
	case q.Daily < 0 || q.PerMinute < 0 || q.PerSecond < 0:
		return fmt.Errorf("quotas are not negative: %w", ErrInput)
	case q.PerSecond > 0 && !strings.HasPrefix(path, "/xpay/"):
		return fmt.Errorf("only /xpay paths have a perSecond, because its code is theirs: %w", ErrInput)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.meters[path]
	if m == nil {
		m = &meter{Path: path}
		s.meters[path] = m
	}
	m.Quota = q
	s.record(kindMeter, m)
	return s.journalErr
}

// knows reports whether path is one of WeChat's own.
func (s *Sim) knows(path string) bool {
	_, pattern := s.mux.Handler(&http.Request{Method: http.MethodPost, URL: &url.URL{Path: path}})
	return pattern == path && path != "/" && path != "/sim" && !strings.HasPrefix(path, "/sim/")
}

// Quotas answers every quota that is set, by path.
func (s *Sim) Quotas() map[string]Quota {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]Quota, len(s.meters))
	for path, m := range s.meters {
		if m.Quota != (Quota{}) {
			all[path] = m.Quota
		}
	}
	return all
}

// AllowedIPs is the IP allow list (IP 白名单): addresses and prefixes such as "203.0.113.0/24". An empty list lets
// everybody in. It guards the fetching of access tokens; with EveryAPI also whatever is called with one. Others get
// 40164. The address is the peer's of the connection; headers are not believed. An IPv4 address mapped into IPv6, such
// as ::ffff:203.0.113.7, counts as the IPv4 address, here and in the peer.
type AllowedIPs struct {
	IPs      []string `json:"ips"`
	EveryAPI bool     `json:"everyAPI"`
}

func (a AllowedIPs) check() error {
	for _, text := range a.IPs {
		if _, err := parsePrefix(text); err != nil {
			return fmt.Errorf("%q: %w: %w", excerpt(text), err, ErrInput)
		}
	}
	return nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return unmapPrefix(p)
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, errors.New("it is neither an IP address nor a prefix")
	}
	ip = ip.Unmap() // as the peers are
	return ip.Prefix(ip.BitLen())
}

// mappedBits is how much of a mapped IPv4 address says that it is one: ::ffff:0:0/96.
const mappedBits = 96

func unmapPrefix(p netip.Prefix) (netip.Prefix, error) {
	if !p.Addr().Is4In6() {
		return p, nil
	}
	if p.Bits() < mappedBits {
		return netip.Prefix{}, errors.New("a prefix of mapped IPv4 addresses has at least 96 bits; write the IPv4 prefix instead")
	}
	return p.Addr().Unmap().Prefix(p.Bits() - mappedBits)
}

func (a AllowedIPs) lets(ip netip.Addr) bool {
	return slices.ContainsFunc(a.IPs, func(text string) bool {
		p, err := parsePrefix(text)
		return err == nil && p.Contains(ip)
	})
}

// SetAllowedIPs replaces the allow list. It fails with ErrInput, and changes nothing, when an entry is no address.
func (s *Sim) SetAllowedIPs(a AllowedIPs) error {
	if err := a.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a.IPs = slices.Clone(a.IPs)
	s.allowed = &a
	s.record(kindAllowed, s.allowed)
	return s.journalErr
}

func (s *Sim) checkIP(in request) *refusal {
	a := s.cfg.AllowedIPs
	if s.allowed != nil {
		a = *s.allowed
	}
	guarded := in.path == "/cgi-bin/stable_token" || a.EveryAPI && !strings.HasPrefix(in.path, "/sns/")
	outside := guarded && s.takeFault(&s.faults.Access.OutsideIPs)
	if !outside && (len(a.IPs) == 0 || !guarded || a.lets(in.ip)) {
		return nil
	}
	return errIP(in)
}

func errIP(in request) *refusal {
	return refuse(40164, fmt.Sprintf("invalid ip %s, not in whitelist", in.ip))
}

// clearQuota answers POST /cgi-bin/clear_quota: the daily counts of every path start again, at most ten times a month.
func (s *Sim) clearQuota(in request) (any, *refusal) {
	f, no := s.open(in)
	if no != nil {
		return nil, no
	}
	appid, _ := f.text("appid")
	switch {
	case appid == "":
		return nil, refuse(41002, "appid missing")
	case appid != s.cfg.AppID:
		return nil, refuse(40013, "invalid appid")
	}
	month := inChina(s.cfg.Now())
	number := int64(month.Year()*12 + int(month.Month()))
	if s.cleared.full(number, clearsPerMonth) {
		return nil, refuse(48006, "forbid to clear quota because of reaching the limit")
	}
	s.cleared.Count++
	s.record(kindCleared, s.cleared)
	for _, path := range slices.Sorted(maps.Keys(s.meters)) {
		s.meters[path].Day.Count = 0
		s.record(kindMeter, s.meters[path])
	}
	return okAnswer{ErrMsg: "ok"}, nil
}
