package localenv

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
)

// AllowLoopback opens the merchant routes to this machine. The Host must be this machine's too, and so must the page
// that asks, if one does: no web page in the developer's browser can reach them.
func AllowLoopback(r *http.Request) error {
	if isLoopback(r.RemoteAddr) && (isLoopback(r.Host) || r.Host == APIHost) && isLocalPage(r.Header.Get("Origin")) {
		return nil
	}
	return problem.New(problem.Unauthorized, "the merchant routes answer calls from this machine only")
}

// AllowToken opens the merchant routes to whoever has the token that was printed at the start.
func AllowToken(token string) func(*http.Request) error {
	return func(r *http.Request) error {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if ok && subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1 {
			return nil
		}
		return problem.New(problem.Unauthorized, "the merchant routes need the token that was printed at the start: Authorization: Bearer")
	}
}

// isLocalPage reads an Origin header; programs send none.
func isLocalPage(origin string) bool {
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && isLoopback(u.Host)
}

// isLoopback reads an address with or without a port.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
