package goodsplan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// WeChat is the part of xpay.Client that goods need. There is one task of each kind at a time.
type WeChat interface {
	StartUploadGoods(ctx context.Context, item xpay.GoodsItem) error
	QueryUploadGoods(ctx context.Context) (xpay.UploadTask, error)
	StartPublishGoods(ctx context.Context, id string) error
	QueryPublishGoods(ctx context.Context) (xpay.PublishTask, error)
}

// Errors that a caller decides on.
var (
	// ErrDoubt: a price may be off by 100 and nobody said yes. Nothing was sent.
	ErrDoubt = errors.New("a price looks wrong")
	// ErrFirstPrice: a price is to be told to WeChat for the first time and nobody said yes. Nothing was sent.
	ErrFirstPrice = errors.New("the first price of a product needs a yes")
	// ErrExists: WeChat has the id already and does not say with which price.
	ErrExists = errors.New("wechat has a product of this id already")
)

// Work is how steps are carried out.
type Work struct {
	WeChat  WeChat
	Book    *Book
	Shop    *Shop
	Yes     bool                                       // somebody looked at the first prices, and at those that look wrong
	Picture func(id string) string                     // the picture, jpg or png, of a product that has none of its own: WeChat requires one
	Poll    time.Duration                              // between two looks at a running task
	Now     func() time.Time                           // the clock of the receipts
	Tell    func(id, what, whatZH string)              // progress; nil: nobody is told
	Sleep   func(context.Context, time.Duration) error // nil: a timer
}

// Look asks for the last tasks.
func Look(ctx context.Context, w WeChat) (Tasks, error) {
	upload, err := w.QueryUploadGoods(ctx)
	if err != nil {
		return Tasks{}, err
	}
	publish, err := w.QueryPublishGoods(ctx)
	return Tasks{Upload: upload, Publish: publish}, err
}

// Apply carries out steps, one product after the other, and stops at the first that fails. Every step is written into
// the receipts before it begins and after it has ended, so that a repetition goes on where it stood.
func (w Work) Apply(ctx context.Context, steps []Step) error {
	for _, s := range steps {
		switch {
		case w.Yes:
		case s.Doubt != "":
			return fmt.Errorf("%s: %w: %s: correct goods.yaml, or repeat with --yes. %s：请更正 goods.yaml，或加 --yes 重试", s.ID, ErrDoubt, s.Doubt, s.DoubtZH)
		case s.First:
			return fmt.Errorf("%s: %w: %s: repeat with --yes if that is right. 首次上传价格，请核对单位，正确则加 --yes 重试", s.ID, ErrFirstPrice, InYuan(s.Price))
		}
	}
	if err := w.idle(ctx); err != nil {
		return err
	}
	for _, s := range steps {
		if err := w.step(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.ID, err)
		}
	}
	return nil
}

// idle waits for tasks that somebody else has running: WeChat refuses another with 268490012.
func (w Work) idle(ctx context.Context) error {
	for {
		last, err := Look(ctx, w.WeChat)
		if err != nil {
			return err
		}
		if last.Upload.Status != xpay.TaskRunning && last.Publish.Status != xpay.TaskRunning {
			return nil
		}
		w.tell("", "waiting for a task that runs already", "等待正在运行的任务")
		if err := w.sleep(ctx); err != nil {
			return err
		}
	}
}

func (w Work) step(ctx context.Context, s Step) error {
	if s.Do == Upload {
		if err := w.upload(ctx, s); err != nil {
			return err
		}
	}
	if s.Do == Upload || s.Do == Publish {
		return w.publish(ctx, s)
	}
	return nil
}

func (w Work) upload(ctx context.Context, s Step) error {
	p := s.product
	r := Receipt{Name: p.Name, Price: p.Price, Remark: remark(p), UploadStarted: w.Now().UTC()}
	before := w.Shop.Goods[p.ID]
	if !before.Uploaded.IsZero() { // until it is known to have ended, WeChat has what it had
		r.Name, r.Price, r.Remark = before.Name, before.Price, before.Remark
	}
	if err := w.keep(p.ID, r); err != nil {
		return err
	}
	w.tell(s.ID, "uploading", "上传中")
	err := w.WeChat.StartUploadGoods(ctx, xpay.GoodsItem{ID: p.ID, Name: p.Name, Price: p.Price, Remark: remark(p), ItemURL: cmp.Or(p.Picture, w.Picture(p.ID))})
	if err == nil {
		err = w.uploaded(ctx, s)
	}
	if errors.Is(err, ErrExists) || refused(err) { // nothing changed at WeChat
		err = errors.Join(err, w.restore(p.ID, before))
	}
	if err != nil {
		return err
	}
	r = Receipt{Name: p.Name, Price: p.Price, Remark: remark(p), UploadStarted: r.UploadStarted, Uploaded: w.Now().UTC()}
	return w.keep(p.ID, r)
}

// refused tells whether WeChat said no, so that it certainly did not act.
func refused(err error) bool {
	var no *xpay.Error
	return errors.As(err, &no) && !xpay.OutcomeUnknown(err)
}

// uploaded waits for the end of the upload task.
func (w Work) uploaded(ctx context.Context, s Step) error {
	for {
		task, err := w.WeChat.QueryUploadGoods(ctx)
		if err != nil {
			return err
		}
		for _, item := range task.Items {
			if item.ID != s.ID || item.Status == xpay.ItemRunning {
				continue
			}
			return uploadEnd(s, item)
		}
		if task.Status != xpay.TaskRunning && task.Status != xpay.TaskNone {
			return errors.New("the upload task ended without naming this product: look into MP 后台 → 虚拟支付 → 道具管理. 上传任务已结束但不含该道具，请到后台查看")
		}
		if err := w.sleep(ctx); err != nil {
			return err
		}
	}
}

func uploadEnd(s Step, item xpay.UploadedItem) error {
	switch {
	case item.Status == xpay.ItemExists:
		return fmt.Errorf("%w, and does not say with which price: compare it in MP 后台 → 虚拟支付 → 道具管理 (change it there), then run goods apply --adopt %s. 微信已有该道具且不返回其价格：请在后台核对后执行 goods apply --adopt %s", ErrExists, s.ID, s.ID)
	case item.Status != xpay.ItemDone:
		return fmt.Errorf("the upload failed: %.200s: correct goods.yaml, then apply again. 上传失败：请修改后重试", item.ErrMsg)
	case item.Price != 0 && item.Price != s.Price:
		return fmt.Errorf("WeChat shows a price of %d fen after the upload, expected %d: look into the console. 上传后微信显示的价格不一致，请到后台查看", item.Price, s.Price)
	}
	return nil
}

func (w Work) publish(ctx context.Context, s Step) error {
	r := w.Shop.Goods[s.ID]
	if r.Uploaded.IsZero() { // settled by a task of somebody else
		p := s.product
		r = Receipt{Name: p.Name, Price: p.Price, Remark: remark(p), Uploaded: w.Now().UTC()}
	}
	before := r
	r.PublishStarted = w.Now().UTC()
	if err := w.keep(s.ID, r); err != nil {
		return err
	}
	w.tell(s.ID, "publishing", "发布中")
	if err := w.WeChat.StartPublishGoods(ctx, s.ID); err != nil {
		if refused(err) { // nothing changed at WeChat
			err = errors.Join(err, w.keep(s.ID, before))
		}
		return err
	}
	if err := w.published(ctx, s.ID); err != nil {
		return err
	}
	r.Published = w.Now().UTC()
	w.tell(s.ID, "published, for sale at the latest at "+r.Published.Add(CoolDown).Format("15:04 MST"), "已发布，最迟 "+r.Published.Add(CoolDown).Format("15:04 MST")+" 可购买")
	return w.keep(s.ID, r)
}

func (w Work) published(ctx context.Context, id string) error {
	for {
		task, err := w.WeChat.QueryPublishGoods(ctx)
		if err != nil {
			return err
		}
		for _, item := range task.Items {
			switch {
			case item.ID != id || item.Status == xpay.ItemRunning:
			case item.Status == xpay.ItemDone, item.Status == xpay.ItemExists: // just now, or before
				return nil
			default:
				return fmt.Errorf("the publishing failed: %.200s: apply again. 发布失败，请重试", item.ErrMsg)
			}
		}
		if task.Status != xpay.TaskRunning && task.Status != xpay.TaskNone {
			return errors.New("the publishing task ended without naming this product: look into MP 后台 → 虚拟支付 → 道具管理. 发布任务已结束但不含该道具，请到后台查看")
		}
		if err := w.sleep(ctx); err != nil {
			return err
		}
	}
}

// Adopt notes that somebody compared a product with the console: WeChat has it uploaded and published as goods.yaml says.
// A price that looks wrong needs a yes here, too. A receipt that says the same already, and from when, stays as it is.
func (w Work) Adopt(s Step) error {
	if r := w.Shop.Goods[s.ID]; !r.Published.IsZero() && differs(s.product, r) == "" {
		return nil
	}
	if doubt, zh := doubt(s.product, 0); doubt != "" && !w.Yes {
		return fmt.Errorf("%s: %w: %s: correct goods.yaml, or repeat with --yes. %s：请更正 goods.yaml，或加 --yes 重试", s.ID, ErrDoubt, doubt, zh)
	}
	p, now := s.product, w.Now().UTC()
	return w.keep(s.ID, Receipt{Name: p.Name, Price: p.Price, Remark: remark(p), Uploaded: now, Published: now, Adopted: true})
}

func (w Work) keep(id string, r Receipt) error {
	w.Shop.Goods[id] = r
	return w.Book.Save()
}

// restore puts a receipt back as it was.
func (w Work) restore(id string, r Receipt) error {
	if r == (Receipt{}) {
		delete(w.Shop.Goods, id)
		return w.Book.Save()
	}
	return w.keep(id, r)
}

func (w Work) tell(id, what, whatZH string) {
	if w.Tell != nil {
		w.Tell(id, what, whatZH)
	}
}

func (w Work) sleep(ctx context.Context) error {
	if w.Sleep != nil {
		return w.Sleep(ctx, w.Poll)
	}
	timer := time.NewTimer(w.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("WeChat's task did not end in time: run goods status later, then goods apply again. 任务未按时结束，请稍后查看状态再重试: %w", ctx.Err())
	case <-timer.C:
		return nil
	}
}
