package explain

import (
	"net/url"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// frames are the ways to put uri and body together for pay_sig; the first is right.
func (s *search) frames() []way[frame] {
	u := s.uri
	all := []way[frame]{{is: frame{u + "&", ""}}}
	for _, w := range s.uris() {
		all = append(all, way[frame]{w.id, w.detail, frame{w.is + "&", ""}})
	}
	all = append(all,
		way[frame]{"no-uri", "", frame{}},
		way[frame]{"empty-uri", "", frame{"&", ""}},
		way[frame]{"no-ampersand", "", frame{u, ""}},
		way[frame]{"body-first", "", frame{"", "&" + u}},
		way[frame]{"body-first", "without &", frame{"", u}},
		way[frame]{"separator", "another & at the end", frame{u + "&", "&"}},
		way[frame]{"separator", "the method before it", frame{"POST&" + u + "&", ""}},
		way[frame]{"separator", "the method before it, line by line", frame{"POST\n" + u + "\n", "\n"}},
		way[frame]{"html-escapes", "& became &amp;", frame{u + "&amp;", ""}},
	)
	for _, between := range []string{"?", "\n", " ", "|", "=", "&body=", "&data=", "&signData=", "&&", "%26", " & ", "+", "?&"} {
		all = append(all, way[frame]{"separator", quoted(between), frame{u + between, ""}})
	}
	return distinctOf(all)
}

// bodyFrames are those of signature, which has no uri.
func (s *search) bodyFrames() []way[frame] {
	all := []way[frame]{
		{is: frame{}}, {"uri-in-user", "", frame{s.uri + "&", ""}}, {"separator", "& before the body", frame{"&", ""}},
		{"uri-in-user", "without &", frame{s.uri, ""}}, {"separator", "& after the body", frame{"", "&"}},
	}
	for _, call := range clientCalls {
		all = append(all, way[frame]{"uri-in-user", call, frame{call + "&", ""}})
	}
	return distinctOf(all)
}

// uris are the wrong ones people sign.
func (s *search) uris() (all []way[string]) {
	u := s.uri
	add := func(id string, uris ...string) {
		for _, uri := range uris {
			all = append(all, way[string]{id, quoted(s.q.printable([]byte(uri))), uri})
		}
	}
	if strings.HasPrefix(u, "/") {
		name := strings.TrimPrefix(u, "/xpay/")
		add("no-slash", strings.TrimPrefix(u, "/"))
		add("other-uri", "/"+name, name)
	} else {
		add("client-uri", "/"+u, "/xpay/"+u, "xpay/"+u, "wx."+u, "/wx."+u, "https://api.weixin.qq.com/"+u, "https://api.weixin.qq.com/xpay/"+u)
	}
	add("trailing-slash", u+"/", "/"+u)
	bare := strings.TrimPrefix(u, "/")
	add("host-in-uri", "https://api.weixin.qq.com/"+bare, "http://api.weixin.qq.com/"+bare, "api.weixin.qq.com/"+bare, "//api.weixin.qq.com/"+bare)
	for _, q := range s.queries() {
		add("query-in-uri", u+q, strings.TrimPrefix(u, "/")+q, "https://api.weixin.qq.com/"+bare+q)
	}
	add("uri-case", strings.ToLower(u), strings.ToUpper(u))
	add("uri-encoded", url.QueryEscape(u), strings.ToLower(url.QueryEscape(u)))
	add("other-uri", clientCalls...)
	add("other-uri", "requestMidasPayment", "wx.requestVirtualPayment", "/xpay/requestVirtualPayment", "/requestVirtualPayment")
	for _, e := range xpay.Endpoints() {
		add("other-uri", "/xpay/"+e.Name)
	}
	if given := strings.TrimSpace(s.q.URI); given != u {
		add(givenMistake(given), given)
	}
	return all
}

// queries are the query strings that a uri may have been signed with: WeChat's samples, and the caller's token.
func (s *search) queries() []string {
	all := []string{"?", "?access_token=", "?access_token=x", "?access_token=xxx", "?access_token=ACCESS_TOKEN", "?access_token=ACCESS_TOKEN&pay_sig=PAY_SIG", "?pay_sig="}
	if _, q, ok := strings.Cut(s.q.URI, "?"); ok {
		all = append(all, "?"+q)
	}
	if t := s.q.AccessToken; t != "" {
		all = append(all, "?access_token="+t, "?access_token="+t+"&pay_sig=", "?access_token="+url.QueryEscape(t))
	}
	return all
}

// givenMistake names what is wrong with the uri of the question.
func givenMistake(given string) string {
	switch {
	case strings.Contains(given, "?"):
		return "query-in-uri"
	case strings.Contains(given, "//") || strings.HasPrefix(given, "api.weixin"):
		return "host-in-uri"
	case strings.Contains(strings.ToLower(given), "request"):
		return "client-uri"
	case !strings.HasPrefix(given, "/"):
		return "no-slash"
	}
	return "other-uri"
}

func quoted(text string) string {
	return `"` + strings.NewReplacer("\n", `\n`).Replace(text) + `"`
}
