package wechatsim

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Kinds of goods tasks, and how one and its item stand (spec 4.11).
const (
	taskUpload  = "upload"
	taskPublish = "publish"

	taskNone        = 0 // none was ever started
	taskRunning     = 1
	taskHasFailures = 2
	taskSucceeded   = 3

	itemRunning = 0
	itemExists  = 1
	itemOK      = 2
	itemFailed  = 3
)

// goodsItem is a product as start_upload_goods describes it. A publish task has the ID alone until it ends.
type goodsItem struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Price  int64  `json:"price,omitempty"` // fen
	Remark string `json:"remark,omitempty"`
	URL    string `json:"item_url,omitempty"`
}

// goodsTask is one upload or publication. It changes once, when it ends. Products are what the ended tasks made of
// them, so one journal line holds the whole of a change.
type goodsTask struct {
	Seq   int       `json:"seq"`
	Kind  string    `json:"kind"`
	Env   int       `json:"env,omitempty"`
	Item  goodsItem `json:"item"`
	Start instant   `json:"start"`
	Due   instant   `json:"due"`
	State int       `json:"state,omitempty"` // of its item
	Fails bool      `json:"fails,omitempty"`
	Error string    `json:"error,omitempty"`
	Live  instant   `json:"live,omitempty"` // of a publication: when the price is in force
}

func (t *goodsTask) status() int {
	switch t.State {
	case itemRunning:
		return taskRunning
	case itemOK:
		return taskSucceeded
	}
	return taskHasFailures
}

type productKey struct {
	env int
	id  string
}

// product is what the APIs know of one id in one env: its development version, and the published one.
type product struct {
	dev       goodsItem
	published int64   // price; 0 is not published
	from      instant // until then the publication is not in force
	before    int64   // price that is in force until then; 0 is none
}

// priceAt gives the price in force; recent tells that the first publication is not in force yet.
func (p *product) priceAt(now instant) (price int64, recent bool) {
	if now >= p.from {
		return p.published, false
	}
	return p.before, p.before == 0
}

// price gives what a unit costs now. What was published through the API stands before what Config or SetGoods names.
func (s *Sim) price(env int, id string) (price int64, recent bool) {
	s.settleTasks()
	if p := s.products[productKey{env, id}]; p != nil && p.published > 0 {
		_, now := s.clock()
		return p.priceAt(now)
	}
	return s.goods[id], false
}

// startUploadGoods answers POST /xpay/start_upload_goods: the product will exist in the development version.
func (s *Sim) startUploadGoods(f fields, env int) (any, *refusal) {
	r, no := f.onlyItem("upload_item")
	if no != nil {
		return nil, no
	}
	item := goodsItem{
		ID: r.goodsID(), Name: r.filled("name", goodsNameCharsMax), Price: r.number("price", 1, orderFenMax),
		Remark: r.filled("remark", goodsRemarkCharsMax), URL: r.webURL("item_url"),
	}
	if r.no != nil {
		return nil, r.no
	}
	for _, word := range s.cfg.SensitiveWords {
		if strings.Contains(item.Name+"\n"+item.Remark+"\n"+item.URL, word) {
			return nil, refuse(268490007, "存在敏感内容")
		}
	}
	return s.startTask(goodsTask{Kind: taskUpload, Env: env, Item: item}, &s.faults.Goods.UploadFails)
}

// startPublishGoods answers POST /xpay/start_publish_goods: the development version will be sold.
func (s *Sim) startPublishGoods(f fields, env int) (any, *refusal) {
	r, no := f.onlyItem("publish_item")
	if no != nil {
		return nil, no
	}
	id := r.goodsID()
	if r.no != nil {
		return nil, r.no
	}
	if no := s.checkIdle(env); no != nil { // before the product: its own upload may be what runs
		return nil, no
	}
	if s.products[productKey{env, id}] == nil && s.goods[id] == 0 {
		return nil, errNoData()
	}
	return s.startTask(goodsTask{Kind: taskPublish, Env: env, Item: goodsItem{ID: id}}, &s.faults.Goods.PublishFails)
}

// onlyItem gives the one item of a list; spec 4.11 allows one in a call.
func (f fields) onlyItem(name string) (*reader, *refusal) {
	var items []fields
	if json.Unmarshal(f[name], &items) != nil || len(items) != 1 {
		return nil, errField(name)
	}
	return &reader{fields: items[0]}, nil
}

func (r *reader) goodsID() string {
	id, _ := r.text("id")
	r.need("id", goodsIDForm.MatchString(id))
	return id
}

func (r *reader) webURL(name string) string {
	text, _ := r.text(name)
	u, err := url.Parse(text)
	r.need(name, err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"))
	return text
}

// checkIdle refuses while a task of env runs.
func (s *Sim) checkIdle(env int) *refusal {
	s.settleTasks()
	for _, t := range s.tasks {
		if t.Env == env && t.State == itemRunning {
			return refuse(268490012, "批量任务正在运行中")
		}
	}
	return nil
}

// startTask starts t unless one is running in its env.
func (s *Sim) startTask(t goodsTask, fails *int) (any, *refusal) {
	if no := s.checkIdle(t.Env); no != nil {
		return nil, no
	}
	_, t.Start = s.clock()
	t.Seq, t.Due, t.Fails = len(s.tasks)+1, t.Start.add(s.cfg.GoodsTaskDelay), s.takeFault(fails)
	s.tasks = append(s.tasks, &t)
	s.record(kindTask, &t)
	return okAnswer{ErrMsg: "OK"}, nil
}

// settleTasks ends the tasks whose time has come.
func (s *Sim) settleTasks() {
	_, now := s.clock()
	for _, t := range s.tasks {
		if t.State == itemRunning && t.Due <= now && !s.faults.Goods.TasksHang {
			s.finishTask(t)
		}
	}
}

func (s *Sim) finishTask(t *goodsTask) {
	p := s.products[productKey{t.Env, t.Item.ID}]
	switch known := p != nil || s.goods[t.Item.ID] > 0; {
	case t.Fails:
		t.State, t.Error = itemFailed, "系统错误"
	case t.Kind == taskUpload && known && !s.faults.Goods.UploadReplaces:
		t.State, t.Error = itemExists, "道具id已存在"
	case t.Kind == taskPublish && (p == nil || p.published == p.dev.Price):
		t.State, t.Error = itemExists, "道具id已发布"
	default:
		t.State = itemOK
	}
	if t.State == itemOK && t.Kind == taskPublish {
		t.Item.Price, t.Live = p.dev.Price, t.Due.add(s.cfg.PublishDelay)
	}
	s.takeEffect(t)
	s.record(kindTask, t)
}

// takeEffect makes the product what an ended task says.
func (s *Sim) takeEffect(t *goodsTask) {
	if t.State != itemOK {
		return
	}
	key := productKey{t.Env, t.Item.ID}
	p := s.products[key]
	if p == nil {
		p = &product{}
		s.products[key] = p
	}
	if t.Kind == taskUpload {
		p.dev = t.Item
		return
	}
	before, _ := p.priceAt(t.Due)
	if p.published == 0 {
		before = s.goods[key.id] // of the console, 0 if there is none
	}
	p.before, p.published, p.from = before, t.Item.Price, t.Live
}

type uploadAnswer struct {
	ErrCode    int            `json:"errcode"`
	ErrMsg     string         `json:"errmsg"`
	Status     int            `json:"status"`
	UploadItem []uploadedItem `json:"upload_item"`
}

type uploadedItem struct {
	goodsItem
	UploadStatus int    `json:"upload_status"`
	ErrMsg       string `json:"errmsg"`
}

// queryUploadGoods answers POST /xpay/query_upload_goods about the newest upload of the env.
func (s *Sim) queryUploadGoods(_ fields, env int) (any, *refusal) {
	a := uploadAnswer{ErrMsg: "OK", Status: taskNone, UploadItem: []uploadedItem{}}
	if t := s.lastTask(taskUpload, env); t != nil {
		item := uploadedItem{goodsItem: t.Item, UploadStatus: t.State, ErrMsg: t.Error}
		item.URL = "https://mmbiz.qpic.cn/" + t.Item.ID + ".png" // pictures are hosted anew
		a.Status, a.UploadItem = t.status(), append(a.UploadItem, item)
	}
	return a, nil
}

type publishAnswer struct {
	ErrCode     int             `json:"errcode"`
	ErrMsg      string          `json:"errmsg"`
	Status      int             `json:"status"`
	PublishItem []publishedItem `json:"publish_item"`
}

type publishedItem struct {
	ID            string `json:"id"`
	PublishStatus int    `json:"publish_status"`
	ErrMsg        string `json:"errmsg"`
}

// queryPublishGoods answers POST /xpay/query_publish_goods about the newest publication of the env.
func (s *Sim) queryPublishGoods(_ fields, env int) (any, *refusal) {
	a := publishAnswer{ErrMsg: "OK", Status: taskNone, PublishItem: []publishedItem{}}
	if t := s.lastTask(taskPublish, env); t != nil {
		a.Status, a.PublishItem = t.status(), append(a.PublishItem, publishedItem{t.Item.ID, t.State, t.Error})
	}
	return a, nil
}

func (s *Sim) lastTask(kind string, env int) *goodsTask {
	s.settleTasks()
	for _, t := range slices.Backward(s.tasks) {
		if t.Kind == kind && t.Env == env {
			return t
		}
	}
	return nil
}

// GoodsView is one product of the goods APIs. Prices are fen.
type GoodsView struct {
	ID             string    `json:"id"`
	Env            int       `json:"env"`
	Name           string    `json:"name"`
	Price          int64     `json:"price"`          // of the development version
	PublishedPrice int64     `json:"publishedPrice"` // 0 is not published
	SoldFrom       time.Time `json:"soldFrom,omitzero"`
}

// UploadedGoods answers every product that came through the goods APIs, by env and id. Those of Config.Goods and
// SetGoods are not among them.
func (s *Sim) UploadedGoods() []GoodsView {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleTasks()
	views := []GoodsView{}
	for _, key := range slices.SortedFunc(maps.Keys(s.products), productKey.compare) {
		p := s.products[key]
		views = append(views, GoodsView{key.id, key.env, p.dev.Name, p.dev.Price, p.published, p.from.time()})
	}
	return views
}

func (k productKey) compare(other productKey) int {
	return cmp.Or(cmp.Compare(k.env, other.env), cmp.Compare(k.id, other.id))
}
