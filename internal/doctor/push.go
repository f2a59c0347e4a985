package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

const (
	nameURL    = "push-url"
	nameEvent  = "push-event"
	nameForged = "push-forged"
	nameMode   = "push-mode"

	answerBytesMax = 64 << 10
)

// push plays WeChat towards the message-push URL: the GET of the console, the harmless event debug_demo in every format,
// and the same with a wrong signature, which must be refused. Spec 3.5 to 3.8.
func (e *examination) push(ctx context.Context) {
	u, err := url.Parse(e.PushURL)
	switch {
	case e.PushURL == "":
		e.notTested(nameURL, "no message-push URL was given (--push-url)", "没有给出消息推送地址（--push-url）")
		return
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		e.fix(nameURL, "the message-push URL is not an http or https address", "消息推送地址不是 http(s) 地址", "give it as https://host/wechat/push", "写成 https://域名/wechat/push")
		return
	case len(e.Config.Push.Tokens) == 0 || e.Config.Push.Tokens[0] == "":
		e.notTested(nameURL, "nothing can be asked without the Token", "没有 Token，无法测试")
		return
	}
	if !e.echo(ctx, u.Host) {
		return
	}
	e.port(u)
	e.events(ctx)
	e.forged(ctx)
	e.mode()
}

// port: WeChat pushes to 80 and 443 only. This machine's own addresses are for trying.
func (e *examination) port(u *url.URL) {
	if host := u.Hostname(); u.Port() != "" && u.Port() != "80" && u.Port() != "443" && host != "localhost" && !strings.HasPrefix(host, "127.") && host != "::1" {
		e.fix(nameURL, "WeChat pushes to ports 80 and 443 only", "微信只推送到 80 和 443 端口", "publish the receiver on port 443", "把接收地址放到 443 端口")
	}
}

// echo plays the GET that the console sends when the URL is saved.
func (e *examination) echo(ctx context.Context, host string) bool {
	q, _, err := miniprogram.Forge(miniprogram.Forgery{Token: e.Config.Push.Tokens[0], Time: e.Now()}, []byte("{}"))
	if err != nil {
		e.fix(nameURL, err.Error(), "无法构造 URL 校验请求", "check the Token", "检查 Token")
		return false
	}
	echo := unguessable()
	q.Set("echostr", echo)
	status, body, err := e.send(ctx, http.MethodGet, q, "", nil)
	switch {
	case err != nil:
		e.fix(nameURL, "the message-push URL does not answer: "+plainReason(err), "消息推送地址没有响应", "start the backend, and check address, certificate and firewall", "启动后端，检查地址、证书和防火墙")
	case gatewaysOwn(status, body):
		e.fix(nameURL, "API Gateway itself refuses the request (HTTP 403 Forbidden), before the backend sees it: the stack has AuthMode=iam, or, in AWS China, its account has no ICP filing",
			"请求被 API Gateway 拒绝（HTTP 403 Forbidden），未到达后端：栈的 AuthMode 为 iam，或（中国区）账号尚未完成 ICP 备案",
			"deploy with AuthMode=public; in AWS China the account needs the ICP filing of its region's operator first: docs/how-to/deploy.md", "以 AuthMode=public 部署；中国区须先完成 ICP 备案，见 docs/how-to/deploy.md")
	case (status == http.StatusUnauthorized || status == http.StatusForbidden) && e.dates.apart(host) > skewMax:
		apart := e.dates.apart(host).Round(time.Second)
		e.fix(nameURL, fmt.Sprintf("the receiver refuses WeChat's check of the URL (HTTP %d): its clock and this machine's are %s apart, so nothing is known of its Token", status, apart),
			fmt.Sprintf("接收端拒绝 URL 校验：其时钟与本机相差 %s，无法判断 Token", apart),
			"synchronise the clocks (NTP); a local stack whose clock was moved cannot be examined: start xpay dev on a new folder", "用 NTP 同步时钟；时钟被调过的本地环境无法检查，请用新目录启动 xpay dev")
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.fix(nameURL, fmt.Sprintf("the receiver refuses WeChat's check of the URL (HTTP %d): its Token differs", status), "接收端拒绝 URL 校验：Token 不一致",
			"use the same Token here, in the backend and in 小程序后台 → 开发管理 → 消息推送; and compare the clocks", "让本配置、后端和 小程序后台 → 开发管理 → 消息推送 的 Token 一致，并检查时钟")
	case status >= http.StatusInternalServerError:
		e.fix(nameURL, fmt.Sprintf("the receiver fails at WeChat's check of the URL (HTTP %d)", status), fmt.Sprintf("接收端处理 URL 校验时出错（HTTP %d）", status),
			"look at the backend's log; a deployed stack with Paused=yes answers 503 and is meant to", "查看后端日志；Paused=yes 的栈返回 503 属正常")
	case status != http.StatusOK:
		e.fix(nameURL, fmt.Sprintf("the receiver answers WeChat's check of the URL with HTTP %d", status), fmt.Sprintf("接收端对 URL 校验返回 HTTP %d", status),
			"check the path: it ends in /wechat/push", "检查路径：应以 /wechat/push 结尾")
	case string(body) != echo:
		e.fix(nameURL, "the receiver does not answer with the echostr, byte for byte", "接收端没有原样返回 echostr", "answer the echostr alone: no quotes, no newline, no byte order mark", "只返回 echostr：不加引号、换行和 BOM")
	default:
		e.ok(nameURL, "the receiver answers WeChat's check of the URL: URL and Token fit", "URL 校验通过：地址和 Token 正确")
		return true
	}
	return false
}

// gatewaysOwn reports whether an answer is API Gateway's to a request that AWS has not authenticated and that it does not let
// through. Our backend has errors of another form.
func gatewaysOwn(status int, body []byte) bool {
	var said map[string]any
	return status == http.StatusForbidden && json.Unmarshal(body, &said) == nil && len(said) == 1 && said["message"] == "Forbidden"
}

// pushKey seals the pushes; "" in plain mode.
func (e *examination) pushKey() string {
	if len(e.Config.Push.AESKeys) == 0 || e.Plain {
		return ""
	}
	return e.Config.Push.AESKeys[0]
}

// events sends debug_demo, which nobody acts upon, in both formats.
func (e *examination) events(ctx context.Context) {
	key := e.pushKey()
	for _, format := range []string{"json", "xml"} {
		q, body, err := e.forge(key, format)
		if err != nil {
			e.fix(nameEvent, err.Error(), "无法构造推送", "check AppID, Token and EncodingAESKey", "检查 AppID、Token 和 EncodingAESKey")
			return
		}
		e.event(ctx, q, body, format, key != "")
	}
}

func (e *examination) forge(key, format string) (url.Values, []byte, error) {
	seconds := e.Now().Unix()
	event := fmt.Appendf(nil, `{"ToUserName":"gh_doctor","FromUserName":"o-doctor-nobody","CreateTime":%d,"MsgType":"event","Event":"debug_demo","debug_str":"xpay doctor"}`, seconds)
	if format == "xml" {
		event = fmt.Appendf(nil, "<xml><ToUserName><![CDATA[gh_doctor]]></ToUserName><FromUserName><![CDATA[o-doctor-nobody]]></FromUserName><CreateTime>%d</CreateTime>"+
			"<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[debug_demo]]></Event><debug_str><![CDATA[xpay doctor]]></debug_str></xml>", seconds)
	}
	return miniprogram.Forge(miniprogram.Forgery{
		AppID: e.Config.AppID, Token: e.Config.Push.Tokens[0], AESKey: key, OpenID: "o-doctor-nobody", ToUserName: "gh_doctor", Time: e.Now(),
	}, event)
}

func (e *examination) event(ctx context.Context, q url.Values, body []byte, format string, sealed bool) {
	name := nameEvent + "-" + format
	mode, modeZH := "encrypted", "加密"
	if !sealed {
		mode, modeZH = "plain", "明文"
	}
	status, answer, err := e.send(ctx, http.MethodPost, q, "application/"+format, body)
	verdict := e.judge(format, answer)
	switch needed := format == orText(e.Format, "json"); {
	case !needed && (err != nil || status != http.StatusOK || verdict.Why != ""):
		e.unknown(name, "the receiver does not take "+strings.ToUpper(format)+", which does not matter while 数据格式 is the other", "接收端不接受 "+strings.ToUpper(format)+"；后台数据格式为另一种时没有影响")
	case err != nil:
		e.fix(name, "the receiver does not answer a push: "+plainReason(err), "接收端对推送没有响应", "WeChat waits 5 seconds: answer before that", "微信只等 5 秒，请及时响应")
	case (status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusBadRequest) && sealed:
		e.fix(name, fmt.Sprintf("the receiver refuses an encrypted push (HTTP %d) though the Token fits: its EncodingAESKey or AppID differs", status),
			"接收端拒绝加密推送，但 Token 正确：EncodingAESKey 或 AppID 不一致",
			"use the same EncodingAESKey here, in the backend and in 消息推送", "让本配置、后端和 消息推送 的 EncodingAESKey 一致")
	case status != http.StatusOK:
		e.fix(name, fmt.Sprintf("the receiver answers a push with HTTP %d", status), fmt.Sprintf("接收端对推送返回 HTTP %d", status),
			"answer 200 with success to events that are not yours, or WeChat repeats them", "对不处理的事件返回 200 和 success，否则微信会重复推送")
	case verdict.Why != "":
		e.fix(name, "the receiver does not acknowledge debug_demo, an event that is not its own: WeChat would repeat it ("+verdict.Why+")", "接收端没有确认 debug_demo：微信会重复推送（"+verdict.WhyZH+"）",
			"answer success to unknown events: one URL gets all messages of the mini-program", "对未知事件返回 success：同一地址会收到小程序的所有消息")
	default:
		e.taken = e.taken || needed
		e.ok(name, fmt.Sprintf("the receiver acknowledges the %s event debug_demo in %s", mode, strings.ToUpper(format)), fmt.Sprintf("接收端确认了 %s 的%s事件 debug_demo", strings.ToUpper(format), modeZH))
	}
}

// judge is WeChat's of an answer to debug_demo.
func (e *examination) judge(format string, answer []byte) Verdict {
	p := Pushed{Event: "debug_demo", Format: format}
	if e.pushKey() != "" {
		opener, err := miniprogram.NewPush(miniprogram.PushConfig{AppID: e.Config.AppID, Tokens: e.Config.Push.Tokens, AESKeys: e.Config.Push.AESKeys, Now: e.Now})
		if err != nil {
			return Verdict{Why: "an encrypted answer cannot be opened: " + err.Error(), WhyZH: "无法解密应答"}
		}
		p.Opener = opener
	}
	return p.Judge(answer)
}

// forged sends the event with a wrong signature: a receiver that acknowledges it believes anybody.
func (e *examination) forged(ctx context.Context) {
	key, format := e.pushKey(), orText(e.Format, "json")
	q, body, err := e.forge(key, format)
	if err != nil {
		return
	}
	name := "signature"
	if key != "" {
		name = "msg_signature" // signature stays right: a receiver must not look at that one alone
	}
	q.Set(name, strings.Repeat("0", 40))
	status, answer, err := e.send(ctx, http.MethodPost, q, "application/"+format, body)
	switch {
	case err != nil || status >= http.StatusInternalServerError:
		e.unknown(nameForged, "not known: the receiver did not answer a push with a wrong signature, or failed", "接收端没有响应签名错误的推送或出错，无法判断")
		return
	case status == http.StatusOK && e.judge(format, answer).Why != "" && !e.taken:
		e.unknown(nameForged, "not known: the receiver answers 200 to a push with a wrong signature, and does not acknowledge a genuine one either", "无法判断：接收端对签名错误的推送返回 200，对正确的推送也没有确认")
		return
	case status == http.StatusOK && e.judge(format, answer).Why == "":
		e.fix(nameForged, "the receiver acknowledges a push with a wrong signature", "接收端接受了签名错误的推送",
			"verify msg_signature (plain mode: signature) before anything else", "先校验 msg_signature（明文模式校验 signature）")
		return
	}
	e.ok(nameForged, "the receiver refuses a push with a wrong signature", "接收端拒绝签名错误的推送")
}

// mode: what the console is set to can only be compared by a person.
func (e *examination) mode() {
	want, wantZH := strings.ToUpper(orText(e.Format, "json")), strings.ToUpper(orText(e.Format, "json"))
	switch {
	case e.Plain:
		e.fix(nameMode, "in plain mode the signature does not cover the body: a replayed one carries any event", "明文模式的签名不覆盖包体，可被重放伪造",
			"choose 安全模式 in 消息推送 and set the EncodingAESKey", "在 消息推送 选择 安全模式 并配置 EncodingAESKey")
	case len(e.Config.Push.AESKeys) == 0:
		e.fix(nameMode, "there is no EncodingAESKey: encrypted pushes cannot be opened", "没有 EncodingAESKey，无法解密推送",
			"set it (43 characters), and choose 安全模式 in 消息推送", "配置 EncodingAESKey（43 位），并在 消息推送 选择 安全模式")
	default:
		e.notTested(nameMode, "no API tells how the console is set: compare 消息加密方式 (安全模式) and 数据格式 ("+want+") in 消息推送, and that 发货推送 is switched on in 虚拟支付 → 基本配置",
			"没有接口可以查询后台设置：请核对 消息推送 的 消息加密方式（安全模式）与 数据格式（"+wantZH+"），并确认 虚拟支付 → 基本配置 已开启 发货推送")
	}
}

func (e *examination) send(ctx context.Context, method string, q url.Values, contentType string, body []byte) (int, []byte, error) {
	target := e.PushURL + "?" + q.Encode()
	if strings.Contains(e.PushURL, "?") {
		target = e.PushURL + "&" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, errors.New("the address is not usable")
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := e.HTTP.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax))
	return resp.StatusCode, raw, err
}

// plainReason is why a request failed, without its address: the signature is in it.
func plainReason(err error) string {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	return err.Error()
}
