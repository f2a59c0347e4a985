package wechatsim

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// judge decides whether body answers m as WeChat wants it: empty or success, or an object with ErrCode 0 in the
// push's own format, encrypted and signed in secure mode (spec 3.7 and 7.1). Apple's question wants result_code and
// evidence instead (spec 7.8).
func (s *Sim) judge(m message, body []byte) verdict {
	plain := bytes.TrimSpace(body)
	if !m.question && (len(plain) == 0 || string(plain) == "success") {
		return verdict{ok: true, last: "acknowledged by " + orElse(string(plain), "an empty body")}
	}
	if m.push.Mode == "aes" {
		opened, err := s.openReply(m, plain)
		if err != nil {
			return verdict{last: excerpt("wrong reply: " + err.Error())}
		}
		plain = opened
	}
	reply, err := parseReply(m.push.Format, plain)
	if err != nil {
		return verdict{last: excerpt("wrong reply: " + err.Error())}
	}
	if m.question {
		return reply.answerQuestion()
	}
	return reply.acknowledge()
}

// openReply checks and decrypts an encrypted reply.
func (s *Sim) openReply(m message, body []byte) ([]byte, error) {
	r, err := parseReply(m.push.Format, body)
	if err != nil {
		return nil, err
	}
	text, sig := r["Encrypt"], r["MsgSignature"]
	ts, nonce := r["TimeStamp"], r["Nonce"]
	switch {
	case text.value == "":
		return nil, errors.New("in secure mode a reply that says more than success must be encrypted")
	case ts.value == "" || nonce.value == "" || sig.value == "":
		return nil, errors.New("the encrypted reply lacks MsgSignature, TimeStamp or Nonce")
	case m.push.Format == "json" && !ts.number:
		return nil, errors.New("TimeStamp of a JSON reply is a number")
	case !sameSig(sig.value, pushSig(m.push.Token, ts.value, nonce.value, text.value)):
		return nil, errors.New("MsgSignature is wrong")
	}
	return unseal(m.aesKey, text.value, s.cfg.AppID)
}

// reply is a flat answer by exact, case-sensitive names.
type reply map[string]replyValue

type replyValue struct {
	value  string
	number bool // written as a JSON number; always true in XML, which has no types
}

func parseReply(format string, body []byte) (reply, error) {
	if format == "json" {
		return parseJSONReply(body)
	}
	return parseXMLReply(body)
}

func parseJSONReply(body []byte) (reply, error) {
	f, err := parseFields(body)
	if err != nil {
		return nil, errors.New("it is not a JSON object, and the push was JSON")
	}
	r := make(reply, len(f))
	for name, raw := range f {
		if text, ok := f.text(name); ok {
			r[name] = replyValue{value: text}
			continue
		}
		_, whole := f.whole(name)
		r[name] = replyValue{value: string(raw), number: whole}
	}
	return r, nil
}

func parseXMLReply(body []byte) (reply, error) {
	var doc struct {
		XMLName xml.Name
		Nodes   []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(body, &doc); err != nil || doc.XMLName.Local != "xml" {
		return nil, errors.New("it is not an <xml> document, and the push was XML")
	}
	r := make(reply, len(doc.Nodes))
	for _, n := range doc.Nodes {
		r[n.XMLName.Local] = replyValue{value: strings.TrimSpace(n.Text), number: true}
	}
	return r, nil
}

func (r reply) acknowledge() verdict {
	code, there := r["ErrCode"]
	n, err := strconv.ParseInt(code.value, 10, 64)
	switch {
	case !there:
		return verdict{last: "wrong reply: it has no ErrCode (names are case-sensitive)"}
	case err != nil || !code.number:
		return verdict{last: "wrong reply: ErrCode is not a number"}
	case n != 0:
		return verdict{last: excerpt(fmt.Sprintf("ErrCode %d: %s", n, r["ErrMsg"].value))}
	}
	return verdict{ok: true, last: "acknowledged by ErrCode 0"}
}

func (r reply) answerQuestion() verdict {
	code := r["result_code"]
	switch {
	case !code.number || code.value != "0" && code.value != "1":
		return verdict{last: "wrong reply: result_code is not the number 0 or 1"}
	case r["evidence"].value == "":
		return verdict{last: "wrong reply: evidence is missing"}
	}
	said := map[string]json.RawMessage{"result_code": json.RawMessage(code.value)}
	for _, name := range []string{"result_info", "evidence"} {
		said[name] = mustJSON(r[name].value)
	}
	return verdict{ok: true, last: excerpt(string(mustJSON(said)))}
}
