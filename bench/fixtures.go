package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"

	"github.com/silenceper/wechat/v2/util"
)

const vectorFile = "../pkg/xpay/testdata/vectors/push.json"

type pushVector struct {
	ID, AppID, Token, EncodingAESKey, Timestamp, Nonce string
	Signature, MsgSignature, Format, Message, Encrypt  string
}

func pushVectors() (map[string]pushVector, error) {
	raw, err := os.ReadFile(vectorFile)
	if err != nil {
		return nil, fmt.Errorf("run this in the folder bench: %w", err)
	}
	var rows []pushVector
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, err
	}
	byID := map[string]pushVector{}
	for _, v := range rows {
		byID[v.ID] = v
	}
	return byID, nil
}

// fixedToken is our token source, sameToken theirs.
type fixedToken string

func (t fixedToken) AccessToken(context.Context) (string, error) { return string(t), nil }

func (t fixedToken) RefreshAccessToken(context.Context, string) (string, error) {
	return string(t), nil
}

type sameToken struct{}

func (sameToken) GetAccessToken() (string, error) { return "token", nil }

func (sameToken) GetAccessTokenContext(context.Context) (string, error) { return "token", nil }

// answering is an HTTP client without a network; the other library is made to send through it, too.
func answering() *http.Client {
	client := &http.Client{Transport: canned{
		"refund_order": []byte(`{"errcode":0,"errmsg":"OK","refund_order_id":"REFUND20260801001","refund_wx_order_id":"VPR1",` +
			`"pay_order_id":"ORDER20260801001","pay_wx_order_id":"VPO1"}`),
		"query_order": []byte(`{"errcode":0,"errmsg":"OK","order":{"order_id":"ORDER20260801001","create_time":1785599980,"update_time":1785600000,` +
			`"status":4,"biz_type":0,"order_fee":100,"coupon_fee":0,"paid_fee":100,"order_type":0,"refund_fee":0,"paid_time":1785599990,` +
			`"provide_time":1785600000,"biz_meta":"{\"attach\":\"testdata\"}","env_type":1,"token":"","left_fee":100,` +
			`"wx_order_id":"VPO260801000000000000001","channel_order_id":"202608011234567890","wxpay_order_id":"4500000138202608010000000001",` +
			`"sett_time":0,"sett_state":0,"platform_fee_fen":0,"cps_fee_fen":0}}`),
	}}
	util.DefaultHTTPClient = client
	return client
}

type canned map[string][]byte

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := c[path.Base(r.URL.Path)]
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(answer)),
		Body: io.NopCloser(bytes.NewReader(answer)), Request: r}, r.Body.Close()
}
