package e2e_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// forged says how a push is made by hand: as WeChat makes it (spec 3.6, 3.7), with whatever a test wants wrong. It is a
// third writing of the protocol, after pkg/miniprogram and pkg/wechatsim; TestTheForgerWritesThePublishedVector holds
// it to the published bytes.
type forged struct {
	at     time.Time
	appID  string // inside AES; "": ours
	token  string // "": ours
	plain  bool
	nonce  string
	random [16]byte
}

// push sends an event made by hand and returns the answer, opened if it was sealed.
func (w *world) push(f forged, event string) (status int, body string) {
	w.t.Helper()
	if f.at.IsZero() {
		f.at = w.now()
	}
	q, raw := f.make(event)
	return w.post(q, raw)
}

// post sends raw bytes to the push URL and opens the answer.
func (w *world) post(q url.Values, raw []byte) (status int, body string) {
	w.t.Helper()
	req := httptest.NewRequest("POST", "/wechat/push?"+q.Encode(), bytes.NewReader(raw))
	a := w.serve(req)
	return a.status, opened(w.t, a.body)
}

func (f forged) make(event string) (url.Values, []byte) {
	if f.token == "" {
		f.token = pushToken
	}
	if f.appID == "" {
		f.appID = appID
	}
	if f.nonce == "" {
		f.nonce = "415670741"
	}
	ts := strconv.FormatInt(f.at.Unix(), 10)
	q := url.Values{"timestamp": {ts}, "nonce": {f.nonce}, "openid": {"oOfficialOpenId"}, "signature": {sha1Of(f.token, ts, f.nonce)}}
	if f.plain {
		return q, []byte(event)
	}
	sealed := seal(aesKey, f.random, event, f.appID)
	q.Set("encrypt_type", "aes")
	q.Set("msg_signature", sha1Of(f.token, ts, f.nonce, sealed))
	if strings.HasPrefix(event, "<") {
		return q, []byte("<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><Encrypt><![CDATA[" + sealed + "]]></Encrypt></xml>")
	}
	return q, []byte(`{"ToUserName":"gh_0123456789ab","Encrypt":"` + sealed + `"}`)
}

func sha1Of(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

func aesBlock(encodingKey string) (cipher.Block, []byte) {
	key, err := base64.StdEncoding.DecodeString(encodingKey + "=")
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	return block, key[:16]
}

func seal(encodingKey string, random [16]byte, msg, id string) string {
	full := binary.BigEndian.AppendUint32(random[:], uint32(len(msg)))
	full = append(full, msg+id...)
	pad := 32 - len(full)%32
	full = append(full, bytes.Repeat([]byte{byte(pad)}, pad)...)
	block, iv := aesBlock(encodingKey)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(full, full)
	return base64.StdEncoding.EncodeToString(full)
}

// opened gives the plain text of an answer, and checks the signature of a sealed one.
func opened(t testing.TB, body []byte) string {
	t.Helper()
	var r struct {
		Encrypt, MsgSignature, Nonce string
		TimeStamp                    int64
	}
	if json.Unmarshal(body, &r) != nil {
		var x struct {
			Encrypt, MsgSignature, Nonce string
			TimeStamp                    int64
		}
		_ = xml.Unmarshal(body, &x)
		r = x
	}
	if r.Encrypt == "" {
		return string(body)
	}
	if r.MsgSignature != sha1Of(pushToken, strconv.FormatInt(r.TimeStamp, 10), r.Nonce, r.Encrypt) {
		t.Errorf("the signature of the answer is wrong: %s", body)
	}
	full, err := base64.StdEncoding.DecodeString(r.Encrypt)
	if err != nil || len(full) < 32 || len(full)%16 != 0 {
		t.Fatalf("the answer is sealed badly: %s", body)
	}
	block, iv := aesBlock(aesKey)
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(full, full)
	full = full[:len(full)-int(full[len(full)-1])]
	n := binary.BigEndian.Uint32(full[16:20])
	if got := string(full[20+n:]); got != appID {
		t.Errorf("the answer is for AppID %q", got)
	}
	return string(full[20 : 20+n])
}

// Vectors V6 and V8 of spec 3.9, which WeChat published.
func TestTheForgerWritesThePublishedVectors(t *testing.T) {
	t.Parallel()
	if got, want := sha1Of("AAAAA", "1714037059", "486452656"), "899cf89e464efb63f54ddac96b0a0a235f53aa78"; got != want {
		t.Errorf("signature of the plain push is %s, want %s", got, want)
	}
	const sealed = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
	random := [16]byte([]byte("707722b803182950"))
	if got := seal(strings.Repeat("A", 43), random, `{"demo_resp":"good luck"}`, "wxba5fad812f8e6fb9"); got != sealed {
		t.Errorf("sealed reply is %s, want %s", got, sealed)
	}
	if got, want := sha1Of("AAAAA", "1713424427", "415670741", sealed), "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"; got != want {
		t.Errorf("signature of the sealed reply is %s, want %s", got, want)
	}
}

// paid is a push about a payment. Its zero fields are those of a right one.
type paid struct {
	number, openID, product, txn string
	env, quantity                int
	actual                       int64
	omit                         bool // no WeChatPayInfo
}

func (p paid) json() string {
	info := fmt.Sprintf(`"WeChatPayInfo":{"MchOrderNo":"202603011234567890","TransactionId":%q,"PaidTime":%d},`, p.txn, start.Unix())
	if p.omit {
		info = ""
	}
	return fmt.Sprintf(`{"ToUserName":"gh_0123456789ab","FromUserName":"oOfficialOpenId","CreateTime":%d,"MsgType":"event",`+
		`"Event":"xpay_goods_deliver_notify","OpenId":%q,"OutTradeNo":%q,"Env":%d,%s"GoodsInfo":{"ProductId":%q,"Quantity":%d,`+
		`"OrigPrice":%d,"ActualPrice":%d,"Attach":"v1.x"}}`,
		start.Unix(), p.openID, p.number, p.env, info, p.product, p.quantity, p.actual, p.actual)
}

// goodPush is what WeChat would say about a payment of one vip_month by Alice.
func goodPush(number, txn string) paid {
	return paid{number: number, openID: alice, product: "vip_month", txn: txn, env: 1, quantity: 1, actual: 1800}
}

// again reports whether WeChat would push again after this answer: only 200 with ErrCode 0, an empty body or
// "success" ends it (spec 7.1).
func again(status int, body string) bool {
	if status != 200 {
		return true
	}
	var r struct{ ErrCode *int }
	if json.Unmarshal([]byte(body), &r) != nil {
		var x struct {
			ErrCode *int `xml:"ErrCode"`
		}
		_ = xml.Unmarshal([]byte(body), &x)
		r.ErrCode = x.ErrCode
	}
	switch {
	case body == "" || body == "success":
		return false
	default:
		return r.ErrCode == nil || *r.ErrCode != 0
	}
}
