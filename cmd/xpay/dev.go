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
	Addr       string `default:"127.0.0.1:8080" help:"Where the API listens. 接口监听地址。"`
	WechatAddr string `default:"127.0.0.1:8090" help:"Where the simulated WeChat listens. 模拟微信的监听地址。"`
	Data       string `default:".xpay" type:"path" placeholder:"DIR" help:"Folder for orders, keys, goods.yaml and WeChat's state. 数据目录。"`
	Goods      string `type:"path" placeholder:"FILE" help:"Products and prices; by default goods.yaml of this folder, which is what would be deployed, else one in the data folder. 道具与价格文件。"`
	PushFormat string `enum:"json,xml" default:"json" help:"Format of WeChat's pushes: ${enum}. 推送的数据格式。"`
	PushMode   string `enum:"aes,plain" default:"aes" help:"Mode of WeChat's pushes: ${enum}. 推送的加密方式。"`
	PushURL    string `name:"push-url" placeholder:"URL" help:"Where WeChat pushes to instead of this API, for a backend that runs elsewhere. 推送到别处的后端。"`
	Quiet      bool   `short:"q" help:"Print nothing but errors. 只输出错误。"`
}

// Help is printed by --help.
func (devCmd) Help() string {
	return `Serves the API and a simulated WeChat, and prints one purchase that can be pasted into another terminal. Everything is kept in the data
folder, over restarts too.

  xpay dev
  xpay dev --goods goods.yaml --push-format xml
  xpay dev --push-url http://127.0.0.1:3000/wechat/push      # the pushes go to a backend of your own

启动接口和模拟微信，并打印一次可直接粘贴的购买流程；数据保存在数据目录，重启后仍在。Ctrl-C 结束。` +
		exits("interrupted, everything is kept. 已中断，数据已保存。", "it cannot start: a port is taken, a file is wrong. 无法启动：端口被占用或文件有误。")
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
		return fmt.Errorf("%w. 本地环境无法启动", err)
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
