package localenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

const (
	purgeEvery    = time.Minute
	purgeMax      = 1000
	sweepTick     = time.Second // locally what is due is found within a second
	shutdownFor   = 2 * time.Second
	headerTimeout = 5 * time.Second
	requestFor    = 30 * time.Second
)

// Addrs are where the two sides listen.
type Addrs struct{ API, WeChat string }

// Server is a stack with its two listeners.
type Server struct {
	*Stack
	API, WeChat   net.Listener
	MerchantToken string // printed when the API does not listen on loopback; else ""
}

// Listen opens the ports and the stack. A taken port or an unusable folder is one sentence.
func Listen(ctx context.Context, addrs Addrs, opt Options) (*Server, error) {
	s := &Server{}
	var err error
	if s.API, err = listen("API", addrs.API); err != nil {
		return nil, err
	}
	if s.WeChat, err = listen("simulated WeChat", addrs.WeChat); err != nil {
		return nil, errors.Join(err, s.API.Close())
	}
	opt.APIURL, opt.WeChatURL = urlOf(s.API), urlOf(s.WeChat)
	if !isLoopback(s.API.Addr().String()) {
		s.MerchantToken = rand.Text()
		opt.AllowMerchant = AllowToken(s.MerchantToken)
	}
	if s.Stack, err = Open(ctx, opt); err != nil {
		return nil, errors.Join(err, s.API.Close(), s.WeChat.Close())
	}
	return s, nil
}

func listen(what, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("the port of %s is taken by another program: stop it, or choose another address for the %s", addr, what)
	default:
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, fmt.Errorf("the %s cannot listen on %s: %w", what, addr, err)
	}
}

// urlOf is where this machine reaches a listener; one on all interfaces is reached on loopback.
func urlOf(l net.Listener) string {
	addr, ok := l.Addr().(*net.TCPAddr)
	if ok && addr.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", addr.Port)
	}
	return "http://" + l.Addr().String()
}

// URLs are where this machine reaches the two sides.
func (s *Server) URLs() (api, weChat string) { return urlOf(s.API), urlOf(s.WeChat) }

// Serve answers until ctx ends, then finishes what is under way and closes everything.
func (s *Server) Serve(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	api, weChat := server(s.Handler), server(s.Sim)
	failed := make(chan error, 2)
	var work sync.WaitGroup
	for _, run := range []func(context.Context){s.queue.Run, s.Sim.Run, s.sweepLoop, s.purgeLoop} {
		work.Go(func() { run(ctx) })
	}
	work.Go(func() { failed <- api.Serve(s.API) })
	work.Go(func() { failed <- weChat.Serve(s.WeChat) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stop()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownFor)
	defer cancel()
	err = errors.Join(err, shut(end, api), shut(end, weChat))
	work.Wait()
	return errors.Join(err, s.Close())
}

// shut lets requests under way end; connections that never sent one are cut after a while.
func shut(ctx context.Context, s *http.Server) error {
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return s.Close()
}

func server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestFor, WriteTimeout: requestFor}
}

// sweepLoop is the schedule.
func (s *Server) sweepLoop(ctx context.Context) {
	every(ctx, sweepTick, func() {
		if _, err := s.Sweep.Tick(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "the sweep failed, the next one comes in a second", "error", err)
		}
	})
}

// purgeLoop forgets what has expired, as DynamoDB's TTL does.
func (s *Server) purgeLoop(ctx context.Context) {
	every(ctx, purgeEvery, func() {
		if _, err := s.db.Purge(ctx, s.Clock.Now(), purgeMax); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "expired documents not forgotten yet", "error", err)
		}
	})
}

func every(ctx context.Context, d time.Duration, do func()) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			do()
		}
	}
}

// Walkthrough writes one purchase as commands to paste.
func (s *Server) Walkthrough(w io.Writer, product string) {
	api, weChat := s.URLs()
	fmt.Fprintf(w, walkthrough, api, weChat, s.MerchantToken, product)
}

// walkthrough needs nothing but a shell and curl.
const walkthrough = `API=%s WECHAT=%s MERCHANT=%s

# 1. wx.login on the phone, then our /login
CODE=$(curl -s $WECHAT/sim/login -d '{"openid":"o-demo-user"}' | sed 's/.*"code":"\([^"]*\)".*/\1/')
TOKEN=$(curl -s $API/login -H 'Content-Type: application/json' -d "{\"code\":\"$CODE\"}" | sed 's/.*"token":"\([^"]*\)".*/\1/')

# 2. order; the price comes from the server, the answer holds what wx.requestVirtualPayment needs
KEY=first-order-$(date +%%s)
ORDER=$(curl -s $API/orders -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $KEY" -H 'Content-Type: application/json' -d '{"productId":"%s","quantity":1}')
ID=$(printf '%%s' "$ORDER" | sed 's/.*"id":"\([^"]*\)".*/\1/'); PAYMENT=$(printf '%%s' "$ORDER" | sed 's/.*"payment":{\(.*\)}}/\1/')

# 3. pay, as the phone does; WeChat pushes, the order is delivered
curl -s $WECHAT/sim/requestVirtualPayment -d "{\"openid\":\"o-demo-user\",\"action\":\"pay\",$PAYMENT}"; echo
curl -s $API/orders/$ID -H "Authorization: Bearer $TOKEN"; echo

# 4. the merchant refunds a part, then looks
curl -s $API/merchant/orders/$ID/refunds -H "Authorization: Bearer $MERCHANT" -H "Idempotency-Key: refund-$KEY" -H 'Content-Type: application/json' -d '{"amount":100,"reason":"3"}'; echo
curl -s $WECHAT/sim/clock -d '{"advance":"1m"}'; sleep 2; curl -s $API/merchant/orders/$ID -H "Authorization: Bearer $MERCHANT"; echo
`
