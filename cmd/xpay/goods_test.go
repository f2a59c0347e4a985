package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// shop is a folder with goods.yaml and receipts, and the WeChat behind it.
type shop struct {
	dir  string
	args []string
}

const twoGoods = "products:\n  - {id: vip_month, name: 月度会员, price: 1800}\n  - {id: gem_60, name: 60 颗宝石, price: 600, kind: consumable}\n"

func newShop(t *testing.T, goods string, change func(*wechatsim.Config)) (shop, *wechatsim.Sim) {
	t.Helper()
	sim, url := simulated(t, change)
	s := shop{dir: t.TempDir(), args: []string{"--config", configured(t, nil), "--wechat-url", url}}
	s.write(t, goods)
	return s, sim
}

func (s shop) write(t *testing.T, goods string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "goods.yaml"), []byte(goods), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s shop) run(t *testing.T, command string, more ...string) result {
	t.Helper()
	args := append([]string{"goods", command}, s.args...)
	if command == "apply" {
		args = append(args, "--picture", "https://cdn.example.com/{id}.png", "--poll", "10ms", "--yes")
	}
	return tool{dir: s.dir}.run(t, append(args, more...)...).silent(t)
}

// applyWithoutYes is goods apply in a pipe, where nobody can be asked.
func (s shop) applyWithoutYes(t *testing.T, more ...string) result {
	t.Helper()
	args := append([]string{"goods", "apply", "--picture", "https://cdn.example.com/{id}.png", "--poll", "10ms"}, s.args...)
	return tool{dir: s.dir}.run(t, append(args, more...)...).silent(t)
}

// sentNothing checks that WeChat was told nothing.
func (s shop) sentNothing(t *testing.T, sim *wechatsim.Sim) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(s.dir, ".xpay/goods-receipts.json")); err == nil || len(sim.UploadedGoods()) != 0 {
		t.Errorf("something was sent: %+v", sim.UploadedGoods())
	}
}

// steps is what the plan says to do with each product.
func (s shop) steps(t *testing.T, code int, more ...string) map[string]string {
	t.Helper()
	var p struct {
		Steps []struct{ ID, Do, Doubt string }
	}
	s.run(t, "plan", append(more, "--json")...).want(t, code).decode(t, &p)
	all := map[string]string{}
	for _, step := range p.Steps {
		all[step.ID] = step.Do
		if step.Doubt != "" {
			all[step.ID] += "?"
		}
	}
	return all
}

func wantSteps(t *testing.T, got map[string]string, want ...string) {
	t.Helper()
	for i := 0; i < len(want); i += 2 {
		if got[want[i]] != want[i+1] {
			t.Errorf("the plan is %v, expected %v", got, want)
		}
	}
}

func TestGoodsAreUploadedAndPublishedOneByOneAndThenKept(t *testing.T) {
	t.Parallel()
	s, _ := newShop(t, twoGoods, nil)
	wantSteps(t, s.steps(t, 0), "vip_month", "upload", "gem_60", "upload")
	r := s.run(t, "apply").want(t, 0, "wait", "-15014", "1800 fen = ¥18.00")
	if strings.Count(r.stderr, "\n") != 2 || !strings.Contains(r.stderr, "600 fen = ¥6.00: the first price") {
		t.Errorf("a pipe gets the first prices and nothing else, not: %s", r.stderr)
	}
	wantSteps(t, s.steps(t, 0), "vip_month", "wait", "gem_60", "wait")
	var state struct {
		Upload, Publish struct{ Status string }
		Receipts        map[string]struct{ Price int }
		Cooling         map[string]string
	}
	s.run(t, "status", "--json").want(t, 0).decode(t, &state)
	if state.Upload.Status != "done" || state.Publish.Status != "done" || state.Receipts["vip_month"].Price != 1800 || len(state.Cooling) != 2 {
		t.Errorf("the state is %+v", state)
	}
	s.run(t, "status").want(t, 0, "cooling down until", "last upload   done; gem_60: done")
	wantSteps(t, s.steps(t, 0, "--env", "sandbox"), "vip_month", "upload") // receipts are of one env
	again := s.run(t, "apply").want(t, 0)                                  // nothing is sent twice: WeChat would say that the id exists
	if again.stderr != "" {
		t.Errorf("a pipe is not left in peace: %s", again.stderr)
	}
}

func TestAFirstPriceIsShownAndNeedsAYes(t *testing.T) {
	t.Parallel()
	s, sim := newShop(t, twoGoods, nil)
	s.run(t, "plan").want(t, 0, "FIRST    gem_60", "600 fen = ¥6.00: the first price", "首次价格")
	s.applyWithoutYes(t).want(t, 1, "FIRST    gem_60", "1800 fen = ¥18.00", "--yes", "请核对单位")
	s.sentNothing(t, sim)
	s.applyWithoutYes(t, "--yes").want(t, 0)
	s.write(t, strings.Replace(twoGoods, "1800", "1700", 1))
	wantSteps(t, s.steps(t, 0), "vip_month", "upload", "gem_60", "wait")
	r := s.applyWithoutYes(t)
	if strings.Contains(r.all(), "FIRST") || strings.Contains(r.all(), "first price of a product") {
		t.Errorf("a price that was told before asks for a yes: %s", r.all())
	}
}

func TestAPriceInYuanIsCaughtBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	s, sim := newShop(t, strings.Replace(twoGoods, "1800", "18", 1), nil)
	wantSteps(t, s.steps(t, 1), "vip_month", "upload?", "gem_60", "upload")
	s.run(t, "plan").want(t, 1, "if 18 yuan are meant, write 1800", "应写 1800")
	s.applyWithoutYes(t).want(t, 1, "vip_month", "--yes", "应写 1800")
	s.sentNothing(t, sim)
	s.run(t, "apply").want(t, 0)
	wantSteps(t, s.steps(t, 0), "vip_month", "wait") // somebody said yes

	for price, want := range map[string]string{"1800": "upload?", "1850": "upload?", "20": "upload?", "100": "upload", "100000": "upload?"} {
		s.write(t, strings.Replace(twoGoods, "1800", price, 1))
		code := 0
		if strings.HasSuffix(want, "?") {
			code = 1
		}
		wantSteps(t, s.steps(t, code), "vip_month", want)
	}
}

func TestAProductThatWeChatHasAlreadyIsAdoptedAfterALook(t *testing.T) {
	t.Parallel()
	s, _ := newShop(t, twoGoods, func(c *wechatsim.Config) { c.Goods = []wechatsim.Goods{{ID: "vip_month", Price: 1500}} })
	s.run(t, "apply").want(t, 1, "vip_month", "--adopt vip_month", "道具管理")
	wantSteps(t, s.steps(t, 0), "vip_month", "upload")
	s.run(t, "apply", "--adopt", "vip_month").want(t, 0, "1800 fen = ¥18.00", "adopted")
	wantSteps(t, s.steps(t, 0), "vip_month", "keep", "gem_60", "upload")
	if r := s.run(t, "status").want(t, 0); strings.Contains(r.out, "cooling") {
		t.Errorf("an adopted product cools down: %s", r.out)
	}
	s.run(t, "apply").want(t, 0)
	wantSteps(t, s.steps(t, 0), "gem_60", "wait")
	s.run(t, "apply", "--adopt", "nothing").want(t, 2, "nothing")

	other, sim := newShop(t, twoGoods, nil)
	other.run(t, "apply", "--adopt", "vip_month,nothing").want(t, 2, "nothing", "没有这个道具")
	other.sentNothing(t, sim)
}

func TestWhatWeChatRefusesLeavesNoReceipt(t *testing.T) {
	t.Parallel()
	s, _ := newShop(t, twoGoods, func(c *wechatsim.Config) { c.SensitiveWords = []string{"宝石"} })
	s.run(t, "apply").want(t, 1, "gem_60", "268490007")
	wantSteps(t, s.steps(t, 0), "vip_month", "wait", "gem_60", "upload")
}

func TestAFailedTaskIsSaidAndRepeated(t *testing.T) {
	t.Parallel()
	s, sim := newShop(t, twoGoods, nil)
	f := sim.Faults()
	f.Goods.UploadFails = 1
	sim.SetFaults(f)
	s.run(t, "apply").want(t, 1, "vip_month", "the upload failed")
	f.Goods.UploadFails, f.Goods.PublishFails = 0, 1
	sim.SetFaults(f)
	s.run(t, "apply").want(t, 1, "vip_month", "the publishing failed")
	wantSteps(t, s.steps(t, 0), "vip_month", "publish")
	s.run(t, "apply").want(t, 0)
	wantSteps(t, s.steps(t, 0), "vip_month", "wait", "gem_60", "wait")
}

// TestAnInterruptedApplyGoesOn: the answers are lost or the program dies while a task runs.
func TestAnInterruptedApplyGoesOn(t *testing.T) {
	t.Parallel()
	s, sim := newShop(t, twoGoods, nil)
	f := sim.Faults()
	f.Goods.TasksHang = true
	sim.SetFaults(f)
	s.run(t, "apply", "--timeout", "2s").want(t, 1, "vip_month")
	f.Goods.TasksHang = false
	sim.SetFaults(f)
	s.run(t, "apply").want(t, 0)
	wantSteps(t, s.steps(t, 0), "vip_month", "wait", "gem_60", "wait")
}

// TestAnOldPublicationIsNotTakenForTheNewOne: the request to publish 450 is lost, and the last task still names the same
// product, published at 300.
func TestAnOldPublicationIsNotTakenForTheNewOne(t *testing.T) {
	t.Parallel()
	const gem = "products:\n  - {id: gem, name: 宝石, price: 300, kind: consumable}\n"
	s, sim := newShop(t, gem, nil)
	f := sim.Faults()
	f.Goods.UploadReplaces = true
	sim.SetFaults(f)
	s.run(t, "apply").want(t, 0)
	s.write(t, strings.Replace(gem, "300", "450", 1))
	f.API = map[string]wechatsim.APIFault{"/xpay/start_publish_goods": {CutBeforeEffect: 9}}
	sim.SetFaults(f)
	s.run(t, "apply").want(t, 1, "gem")
	f.API = nil
	sim.SetFaults(f)
	wantSteps(t, s.steps(t, 0), "gem", "publish")
	s.run(t, "apply").want(t, 0)
	if goods := sim.UploadedGoods(); len(goods) != 1 || goods[0].PublishedPrice != 450 {
		t.Errorf("WeChat has %+v", goods)
	}
	wantSteps(t, s.steps(t, 0), "gem", "wait")
}

func TestAProductNoLongerSoldIsNamed(t *testing.T) {
	t.Parallel()
	s, _ := newShop(t, twoGoods, nil)
	s.run(t, "apply").want(t, 0)
	s.write(t, "products:\n  - {id: vip_month, name: 月度会员, price: 1800}\n")
	s.run(t, "plan").want(t, 0, "gone     gem_60")
}

func TestReceiptsThatCannotBeReadAreNotOverwritten(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{", `{"version":2}`, `{"version":1,"shopz":[]}`} {
		s, _ := newShop(t, twoGoods, nil)
		path := filepath.Join(s.dir, "receipts.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.run(t, "apply", "--receipts", path).want(t, 1, "receipts")
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%s became %s (%v)", text, got, err)
		}
	}
}

func TestApplyNeedsAPicture(t *testing.T) {
	t.Parallel()
	s, _ := newShop(t, twoGoods, nil)
	tool{dir: s.dir}.run(t, append([]string{"goods", "apply"}, s.args...)...).want(t, 2, "--picture").silent(t)
}

func TestReceiptsSayWhatWeChatWasTold(t *testing.T) {
	t.Parallel()
	s, _ := newShop(t, "products:\n  - {id: vip_month, name: 月度会员, price: 1800, remark: 三十天}\n", nil)
	s.run(t, "apply").want(t, 0)
	raw, err := os.ReadFile(filepath.Join(s.dir, ".xpay/goods-receipts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var book struct {
		Version int
		Shops   []struct {
			OfferID string
			Env     int
			Goods   map[string]struct {
				Name, Remark, Uploaded, Published string
				Price                             int
			}
		}
	}
	if err := json.Unmarshal(raw, &book); err != nil {
		t.Fatal(err)
	}
	got := book.Shops[0].Goods["vip_month"]
	if book.Version != 1 || book.Shops[0].OfferID != testOffer || got.Name != "月度会员" || got.Remark != "三十天" || got.Price != 1800 || got.Uploaded == "" || got.Published == "" {
		t.Errorf("%s", raw)
	}
}

func TestAPictureInGoodsYAMLIsEnoughForAnUpload(t *testing.T) {
	t.Parallel()
	s, sim := newShop(t, "products:\n  - {id: vip_month, name: 月度会员, price: 1800, picture: 'https://cdn.example.com/vip.png'}\n", nil)
	args := append([]string{"goods", "apply", "--poll", "10ms", "--yes"}, s.args...)
	tool{dir: s.dir}.run(t, args...).want(t, 0)
	if goods := sim.UploadedGoods(); len(goods) != 1 || goods[0].ID != "vip_month" {
		t.Errorf("WeChat has %+v", goods)
	}
}
