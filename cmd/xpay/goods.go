package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/goodsplan"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// goodsCmd brings goods.yaml to WeChat.
type goodsCmd struct {
	Plan   goodsPlanCmd   `cmd:"" help:"Say what is to be done; nothing is changed. 只显示计划，不做改动。"`
	Apply  goodsApplyCmd  `cmd:"" help:"Upload, wait, publish, one product after the other. 逐个上传、等待、发布。"`
	Status goodsStatusCmd `cmd:"" help:"Print the last tasks, our receipts and the cool-down. 查看任务、回执和冷却时间。"`
}

// shelf is what all three work on.
type shelf struct {
	account
	Goods    string `default:"goods.yaml" placeholder:"FILE" help:"Products and prices, in fen. 道具与价格，单位分。"`
	Receipts string `default:"${receipts}" placeholder:"FILE" help:"What WeChat was told, and when. Keep it: no API lists goods. 上传回执，请保留。"`
}

// Help is printed by --help.
func (goodsCmd) Help() string {
	return strings.TrimSpace(exits("as asked. 按要求完成。", "something is wrong or was refused. 有问题，或被拒绝。"))
}

// Help is printed by --help.
func (goodsPlanCmd) Help() string {
	return `Compares goods.yaml with the last task at WeChat and with our own receipts. Prices are in fen: 600 fen = ¥6.00.

A price in yuan where fen are meant is marked when the receipt has a price 100 times as high or as low, when name or remark says the number in
yuan (198 元), and when it is below 100 or above 99999 fen. Nothing else shows it: 198 for a product that was never uploaded may be ¥1.98 or a
slip. So every first price is shown, and apply sends it only after a yes.

  xpay goods plan
  xpay goods plan --env sandbox --json

比较 goods.yaml、微信的最近任务和本地回执。价格单位是分：600 分 = ¥6.00。
与回执相差 100 倍、名称或说明写着该数字的元价、低于 100 分或高于 99999 分时给出警告；其他情况无法判断，因此首次价格都会列出，apply 须确认后才发送。` +
		exits("no price looks wrong. 没有可疑价格。", "a price looks wrong, or WeChat did not answer. 有可疑价格，或微信没有应答。")
}

// Help is printed by --help.
func (goodsApplyCmd) Help() string {
	return `WeChat takes one product at a time: upload, wait for the task, publish, wait again. Interrupted, it goes on where it stood. A product
can be bought ten minutes to half an hour after it was published.

First prices, and prices that look wrong, are shown before anything is sent. On a terminal apply then asks; elsewhere nothing is sent without
--yes. Run goods plan first, which says what makes a price look wrong and what cannot be seen.

  xpay goods apply --picture 'https://cdn.example.com/goods/{id}.png'
  xpay goods apply --picture https://cdn.example.com/goods.png --yes
  xpay goods apply --adopt vip_month        # it is in WeChat already, and you compared it in the console

逐个上传、等待、发布；中断后可继续。发布后约 10–30 分钟可购买。
首次价格和可疑价格会先列出：在终端会询问，其他情况须加 --yes，否则不发送任何内容。请先运行 goods plan。` +
		exits("WeChat sells what goods.yaml says, from the end of the cool-down on. 已按 goods.yaml 发布，冷却期后可购买。", "something was refused, did not end in time, or needs a yes. 被拒绝、超时，或需要确认。")
}

// Help is printed by --help.
func (goodsStatusCmd) Help() string {
	return `Changes nothing.

  xpay goods status
  xpay goods status --json

只读：微信的最近任务、本地回执和冷却时间。` +
		exits("as asked. 按要求完成。", "WeChat refused or did not answer. 微信拒绝或没有应答。")
}

type (
	goodsPlanCmd   struct{ shelf }
	goodsStatusCmd struct{ shelf }
)

type goodsApplyCmd struct {
	shelf
	Picture string        `placeholder:"URL" help:"Picture of each product that has none in goods.yaml, jpg or png; {id} stands for the product's id. 没有图片的道具所用的图片，{id} 代表道具 ID。"`
	Yes     bool          `help:"First prices, and prices that look wrong, are right. 首次价格和可疑价格都正确。"`
	Adopt   []string      `placeholder:"ID" help:"These products are in WeChat as goods.yaml has them: write receipts, send nothing. 微信已有且一致，只写回执。"`
	Timeout time.Duration `default:"15m" help:"For all of it. 总时限。"`
	Poll    time.Duration `default:"3s" help:"Between two looks at a running task. 查询任务的间隔。"`
}

// open reads everything and asks WeChat for the last tasks.
func (s shelf) open(ctx context.Context, o output) (*counter, error) {
	client, cfg, err := s.client(nil)
	if err != nil {
		return nil, err
	}
	goods, err := catalog.Load(s.Goods)
	if err != nil {
		return nil, fmt.Errorf("%w. 请检查 %s", err, s.Goods)
	}
	book, err := goodsplan.Open(s.Receipts)
	if err != nil {
		return nil, err
	}
	o.progress("asking WeChat for the last tasks ... 查询最近的任务")
	last, err := goodsplan.Look(ctx, client)
	if err != nil {
		return nil, advise(err, false)
	}
	c := &counter{client: client, cfg: cfg, goods: goods, book: book, shop: book.Shop(cfg.OfferID, cfg.Env), last: last}
	c.steps = goodsplan.Plan(goods.All(), c.shop, last, time.Now())
	return c, nil
}

// counter is the shelf with what is on it.
type counter struct {
	client *xpay.Client
	cfg    backend.Config
	goods  *catalog.Catalog
	book   *goodsplan.Book
	shop   *goodsplan.Shop
	last   goodsplan.Tasks
	steps  []goodsplan.Step
}

// Run prints the plan.
func (c goodsPlanCmd) Run(ctx context.Context, o output) error {
	k, err := c.open(ctx, o)
	if err != nil {
		return err
	}
	if err := k.printPlan(o); err != nil {
		return err
	}
	if slices.ContainsFunc(k.steps, func(s goodsplan.Step) bool { return s.Doubt != "" }) {
		return errTold
	}
	return nil
}

// planned is what --json prints.
type planned struct {
	Env   xpay.Env         `json:"env"`
	Steps []goodsplan.Step `json:"steps"`
	Gone  []string         `json:"gone,omitempty"` // told to WeChat once, no longer in goods.yaml
}

func (k *counter) printPlan(o output) error {
	gone := goodsplan.Gone(k.goods.All(), k.shop)
	if o.json {
		return o.printJSON(planned{k.cfg.Env, k.steps, gone})
	}
	fmt.Fprintf(o.out, "%s\n", k.cfg.Env)
	for _, s := range k.steps {
		fmt.Fprintf(o.out, "%-8s %-24s %s  %s. %s。\n", s.Do, s.ID, goodsplan.InYuan(s.Price), s.Why, s.WhyZH)
		if !s.Ready.IsZero() {
			fmt.Fprintf(o.out, "         until %s\n", s.Ready.Format(time.RFC3339))
		}
		printPrice(o.out, s)
	}
	for _, id := range gone {
		fmt.Fprintf(o.out, "gone     %-24s no longer sold here; WeChat goes on selling it: take it off in the console. %s\n", id, "本地已下架，请在后台下架。")
	}
	_, err := fmt.Fprintln(o.out, "No API lists goods: what others changed in the console is not seen.", "没有接口可以列出道具，看不到他人在后台的改动。")
	return err
}

// printPrice says why a price needs a look.
func printPrice(w io.Writer, s goodsplan.Step) {
	if s.Doubt != "" {
		fmt.Fprintf(w, "PRICE    %-24s %s\n         %-24s %s\n", s.ID, s.Doubt, "", s.DoubtZH)
	}
	if s.First {
		fmt.Fprintf(w, "FIRST    %-24s %s: the first price of this product, nothing to compare it with. 首次价格，没有可比较的旧价格。\n", s.ID, goodsplan.InYuan(s.Price))
	}
}

// Run uploads and publishes.
func (c goodsApplyCmd) Run(ctx context.Context, o output) error {
	if err := cmp.Or(positive("--timeout", c.Timeout), positive("--poll", c.Poll)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	unlock, err := goodsplan.Lock(c.Receipts)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // the process ends next
	k, err := c.open(ctx, o)
	if err != nil {
		return err
	}
	work := c.work(o, k)
	if len(c.Adopt) > 0 {
		return c.adopt(o, work, k)
	}
	bare := slices.ContainsFunc(k.steps, func(s goodsplan.Step) bool { return s.Do == goodsplan.Upload && s.Picture() == "" })
	if bare && c.Picture == "" {
		return usageError{errors.New("WeChat requires a picture for an upload: write picture: https://... in goods.yaml, or give --picture 'https://.../{id}.png', jpg or png. 上传需要图片：在 goods.yaml 写 picture，或用 --picture 给出")}
	}
	if work.Yes, err = c.agreed(ctx, o, k.steps); err != nil {
		return err
	}
	if err := work.Apply(ctx, k.steps); err != nil {
		return advise(err, true)
	}
	k.steps = goodsplan.Plan(k.goods.All(), k.shop, goodsplan.Tasks{}, time.Now())
	return k.printPlan(o)
}

// agreed shows the prices that somebody must look at, before anything is sent, and asks where somebody can answer.
func (c goodsApplyCmd) agreed(ctx context.Context, o output, steps []goodsplan.Step) (bool, error) {
	ask := false
	for _, s := range steps {
		printPrice(o.err, s)
		ask = ask || s.NeedsYes()
	}
	if c.Yes || !ask {
		return c.Yes, nil
	}
	return o.confirms(ctx, "Are these prices right, in fen? 以上价格（单位：分）正确吗？")
}

func (c goodsApplyCmd) work(o output, k *counter) goodsplan.Work {
	return goodsplan.Work{
		WeChat: k.client, Book: k.book, Shop: k.shop, Poll: c.Poll, Now: time.Now,
		Picture: func(id string) string { return strings.ReplaceAll(c.Picture, "{id}", id) },
		Tell:    func(id, what, whatZH string) { o.progress("%s: %s ... %s", id, what, whatZH) },
	}
}

func (c goodsApplyCmd) adopt(o output, work goodsplan.Work, k *counter) error {
	work.Yes = c.Yes
	var steps []goodsplan.Step
	for _, id := range c.Adopt {
		at := slices.IndexFunc(k.steps, func(s goodsplan.Step) bool { return s.ID == id })
		if at < 0 {
			return usageError{fmt.Errorf("goods.yaml sells no %.64q: give an id that it has. goods.yaml 中没有这个道具", id)}
		}
		steps = append(steps, k.steps[at])
	}
	for _, s := range steps {
		if err := work.Adopt(s); err != nil {
			return err
		}
	}
	k.steps = goodsplan.Plan(k.goods.All(), k.shop, goodsplan.Tasks{}, time.Now())
	return k.printPlan(o)
}

// state is what goods status prints with --json.
type state struct {
	Env     xpay.Env                     `json:"env"`
	Upload  task                         `json:"upload"`
	Publish task                         `json:"publish"`
	Goods   map[string]goodsplan.Receipt `json:"receipts"`
	Cooling map[string]time.Time         `json:"cooling,omitempty"` // until when -15014 is to be expected
}

type task struct {
	Status string     `json:"status"`
	Items  []taskItem `json:"items,omitempty"`
}

type taskItem struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	ErrMsg string `json:"errmsg,omitempty"`
}

// Run prints what is known.
func (c goodsStatusCmd) Run(ctx context.Context, o output) error {
	k, err := c.open(ctx, o)
	if err != nil {
		return err
	}
	s := k.state()
	if o.json {
		return o.printJSON(s)
	}
	fmt.Fprintf(o.out, "%s\nlast upload   %s\nlast publish  %s\n", s.Env, s.Upload, s.Publish)
	for _, step := range k.steps {
		r, told := s.Goods[step.ID]
		line := "no receipt 没有回执"
		if told {
			line = fmt.Sprintf("%s, uploaded %s, published %s", goodsplan.InYuan(r.Price), when(r.Uploaded), when(r.Published))
		}
		if r.Adopted {
			line = fmt.Sprintf("%s, adopted %s 已采用", goodsplan.InYuan(r.Price), when(r.Published))
		}
		if until, cooling := s.Cooling[step.ID]; cooling {
			line += fmt.Sprintf(", cooling down until %s (-15014 before)", until.Format(time.RFC3339))
		}
		fmt.Fprintf(o.out, "%-24s %s\n", step.ID, line)
	}
	return nil
}

func (k *counter) state() state {
	s := state{Env: k.cfg.Env, Goods: k.shop.Goods, Cooling: map[string]time.Time{}}
	s.Upload.Status, s.Publish.Status = taskStatus(k.last.Upload.Status), taskStatus(k.last.Publish.Status)
	for _, item := range k.last.Upload.Items {
		s.Upload.Items = append(s.Upload.Items, taskItem{item.ID, itemStatus(item.Status), item.ErrMsg})
	}
	for _, item := range k.last.Publish.Items {
		s.Publish.Items = append(s.Publish.Items, taskItem{item.ID, itemStatus(item.Status), item.ErrMsg})
	}
	for _, step := range k.steps {
		if !step.Ready.IsZero() {
			s.Cooling[step.ID] = step.Ready
		}
	}
	return s
}

func (t task) String() string {
	text := t.Status
	for _, item := range t.Items {
		text += fmt.Sprintf("; %s: %s %s", item.ID, item.Status, item.ErrMsg)
	}
	return text
}

func taskStatus(s xpay.TaskStatus) string {
	switch s {
	case xpay.TaskNone:
		return "none"
	case xpay.TaskRunning:
		return "running"
	case xpay.TaskFailed:
		return "failed"
	case xpay.TaskDone:
		return "done"
	}
	return fmt.Sprintf("status %d", int(s))
}

func itemStatus(s xpay.ItemStatus) string {
	switch s {
	case xpay.ItemRunning:
		return "running"
	case xpay.ItemExists:
		return "the id exists"
	case xpay.ItemDone:
		return "done"
	case xpay.ItemFailed:
		return "failed"
	}
	return fmt.Sprintf("status %d", int(s))
}

func when(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.Format(time.RFC3339)
}
