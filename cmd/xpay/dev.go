package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
)

// devCmd runs the local stack.
type devCmd struct {
	Addr       string `default:"127.0.0.1:8080" help:"Where the API listens."`
	WechatAddr string `default:"127.0.0.1:8090" help:"Where the simulated WeChat listens."`
	Data       string `default:".xpay" type:"path" placeholder:"DIR" help:"Folder for orders, keys, goods.yaml and WeChat's state."`
	Goods      string `type:"path" placeholder:"FILE" help:"Products and prices; by default goods.yaml of this folder, which is what would be deployed, else one in the data folder."`
	PushFormat string `enum:"json,xml" default:"json" help:"Format of WeChat's pushes: ${enum}."`
	PushMode   string `enum:"aes,plain" default:"aes" help:"Mode of WeChat's pushes: ${enum}."`
	PushURL    string `name:"push-url" placeholder:"URL" help:"Where WeChat pushes to instead of this API, for a backend that runs elsewhere."`
	Quiet      bool   `short:"q" help:"Print nothing but errors."`
}

// Run serves until it is interrupted.
func (d *devCmd) Run(ctx context.Context, o output) error {
	level := slog.LevelInfo
	if d.Quiet {
		level = slog.LevelError
	}
	var handler slog.Handler = slog.NewTextHandler(o.err, &slog.HandlerOptions{Level: level})
	if o.json {
		handler = slog.NewJSONHandler(o.err, &slog.HandlerOptions{Level: level})
	}
	log := slog.New(handler)
	if d.Goods == "" {
		d.Goods = deployedGoods()
	}
	s, err := localenv.Listen(ctx, localenv.Addrs{API: d.Addr, WeChat: d.WechatAddr}, localenv.Options{
		Data: d.Data, Goods: d.Goods, PushFormat: d.PushFormat, PushMode: d.PushMode, PushURL: d.PushURL, Log: log,
	})
	if err != nil {
		return err
	}
	if !d.Quiet {
		d.banner(o.out, s)
	}
	if s.MerchantToken != "" { // nobody can know it otherwise
		fmt.Fprintf(o.out, "merchant token    %s   (Authorization: Bearer, for /merchant/...)\n", s.MerchantToken)
	}
	if err := s.Serve(ctx); err != nil {
		return fmt.Errorf("the local stack ended: %w", err)
	}
	if !d.Quiet {
		fmt.Fprintln(o.out, "\nStopped. Everything is kept in", d.Data)
	}
	return nil
}

// deployedGoods is the catalogue that is deployed from this folder, or "" where there is none.
func deployedGoods() string {
	const path = "goods.yaml"
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

func (d *devCmd) banner(w io.Writer, s *localenv.Server) {
	api, weChat := s.URLs()
	fmt.Fprintf(w, "API               %s\nsimulated WeChat  %s\ndata              %s\n", api, weChat, d.Data)
	for _, warning := range s.Catalog.Warnings() {
		fmt.Fprintln(w, "warning:", warning)
	}
	products := s.Catalog.Products()
	if len(products) == 0 {
		fmt.Fprintln(w, "warning: goods.yaml sells nothing")
		return
	}
	fmt.Fprintf(w, "\nOne purchase, ready to paste into another terminal:\n%s\n", strings.Repeat("-", 72))
	s.Walkthrough(w, products[0].ID)
	fmt.Fprintf(w, "%s\nCtrl-C stops; everything is kept.\n", strings.Repeat("-", 72))
}
