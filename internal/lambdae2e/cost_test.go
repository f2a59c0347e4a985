package lambdae2e_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/internal/cost"
	"github.com/xpay-serverless/xpay-serverless/internal/cost/capacity"
	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
	"github.com/xpay-serverless/xpay-serverless/internal/observe"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo/tables"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

var update = flag.Bool("update", false, "write internal/cost/counts.json")

const countsFile = "../cost/counts.json"

// bytesTolerance is how far figures in bytes may be from what is written down: a duration has two digits or three.
const bytesTolerance = 0.02

// TestTheCostOfAnOrderIsWhatIsWrittenDown: -update writes internal/cost/counts.json.
func TestTheCostOfAnOrderIsWhatIsWrittenDown(t *testing.T) {
	t.Parallel()
	m := measure(t)
	var got cost.Counts
	var id string
	got.Tick = m.idle
	got.Paid, id = m.paidOrder()
	got.PaidStored = m.stored(id)
	got.Cart, id = m.abandonedCart()
	got.CartStored = m.stored(id)
	got.Starts, got.RefreshReads = m.starts, m.refreshReads
	got.HandshakeBytes = handshakeBytes(t)
	got.Template = costsOfTemplate(t)
	if *update {
		raw, err := json.MarshalIndent(got, "", "  ")
		m.ok(err)
		m.ok(os.WriteFile(countsFile, append(raw, '\n'), 0o644))
		return
	}
	raw, err := os.ReadFile(countsFile)
	m.ok(err)
	var want cost.Counts
	m.ok(json.Unmarshal(raw, &want))
	if diff := gocmp.Diff(want, got, gocmp.FilterPath(ofBytes, gocmp.Comparer(nearly))); diff != "" {
		t.Errorf("-written down +counted; tools/with-moto go test ./internal/lambdae2e -run Cost -update writes it:\n%s", diff)
	}
}

func ofBytes(p gocmp.Path) bool {
	return slices.Contains([]string{".LogBytes", ".OutBytes", ".WeChatBytes", ".HandshakeBytes", ".PaidStored", ".CartStored"}, p.Last().String())
}

func nearly(a, b int) bool { return math.Abs(float64(a-b)) <= bytesTolerance*float64(max(a, b)) }

// meter watches everything between the functions, the phone and AWS.
type meter struct {
	*cloud
	db          *dynamodb.Client // past the wires
	endpoint    string
	indexes     []capacity.Index
	queueWire   *lambdatest.Wire
	accessLog   string
	systemLevel string    // of the lines that Lambda itself writes
	idle        cost.Work // a tick that finds nothing

	starts       map[string]cost.Start
	refreshReads int // the most that one environment made when its secrets had to be read again

	mu   sync.Mutex
	work cost.Work
}

// measure deploys with warm functions: each has served, so that no further request reads secrets or the access token.
func measure(t *testing.T) *meter {
	s := readStack(t)
	m := &meter{endpoint: awstest.Endpoint(t), accessLog: s.accessLogFormat(t), starts: map[string]cost.Start{}, work: cost.Work{Invocations: map[string]float64{}}}
	var level string
	level, m.systemLevel = s.logLevels(t)
	c := deploy(t, options{logLevel: level, door: func(_ string, wechat http.Handler) http.Handler { return m.toWeChat(wechat) }})
	m.cloud = c
	m.db = dynamodb.NewFromConfig(awstest.Config(m.endpoint))
	for _, ix := range tables.Input("").GlobalSecondaryIndexes {
		var of capacity.Index
		for _, k := range ix.KeySchema {
			of.Keys = append(of.Keys, *k.AttributeName)
		}
		of.Carries = append([]string{"id"}, ix.Projection.NonKeyAttributes...)
		m.indexes = append(m.indexes, of)
	}
	m.queueWire = c.wire(m.endpoint)
	c.queue.Client = sqs.NewFromConfig(awstest.Config(c.serve(m.queueWire)))
	c.queue.Function = counted{m, "reconcile", c.fn["reconcile"]}
	c.gateway.Config.Handler = m.door(c.gateway.Config.Handler)

	for _, f := range awsenv.Functions() {
		if f.Groups != 0 { // the sweep reads nothing at its start
			m.start(f.Name)
		}
	}
	warm := c.login("oWarm")
	var bought orderReply
	warm.buy("purchase-warm").into(t, 201, &bought)
	m.age(bought.Order.ID)
	m.look()
	warm.pay(bought.Payment)
	c.sim.DeliverDue(t.Context())
	warm.poll(bought.Order.ID)
	for name := range c.aws {
		c.fault(name, m.passing)
	}
	m.idle = m.step("", func() {
		m.invoked("sweep")
		m.ok(m.tick())
	}).Work
	return m
}

const (
	longAfterRotation = 30 * 24 * time.Hour // no start reads the version before any more, unless something does not fit
	pastSecretsTTL    = 20 * time.Minute

	emptyRequest = `{"version":"2.0","rawPath":"/","headers":{"host":"x"},"requestContext":{"http":{"method":"GET","path":"/"}}}`
	emptyBatch   = `{"Records":[]}`
)

// start counts what a function asks for before its first event, and when its secrets have grown old. The events ask for nothing.
func (m *meter) start(function string) {
	event := emptyRequest
	if function == "reconcile" {
		event = emptyBatch
	}
	m.fault(function, func(p lambdatest.Passing) lambdatest.Fault {
		if p.Operation == getSecretValue {
			return lambdatest.Fault{}
		}
		return m.passing(p)
	})
	serve := func(ahead time.Duration) (secretReads int, readUnits float64) {
		m.ok(os.WriteFile(m.clock, fmt.Appendf(nil, "%d", int64(ahead.Seconds())), 0o600))
		reads := m.aws[function].Counts()[getSecretValue]
		w := m.step(function+" starts", func() {
			_, err := m.fn[function].Invoke(m.Context(), []byte(event))
			m.ok(err)
		})
		return m.aws[function].Counts()[getSecretValue] - reads, w.ReadUnits
	}
	var s cost.Start
	s.SecretReads, s.ReadUnits = serve(longAfterRotation)
	m.starts[function] = s
	again, _ := serve(longAfterRotation + pastSecretsTTL)
	m.refreshReads = max(m.refreshReads, again)
	m.fn[function].Kill()
	m.ok(os.Remove(m.clock))
	m.fault(function, nil)
}

const getSecretValue = "secretsmanager.GetSecretValue"

// toWeChat counts what the functions send to WeChat.
func (m *meter) toWeChat(wechat http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "api.weixin.qq.com"
		sent, err := httputil.DumpRequest(r, true)
		if err != nil {
			m.Error(err)
		}
		m.count(func(w *cost.Work) {
			w.WeChatCalls++
			w.WeChatBytes += len(sent)
		})
		wechat.ServeHTTP(w, r)
	})
}

// handshakeBytes is what a client sends until the first request can follow.
func handshakeBytes(t *testing.T) int {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	plain, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	sent := &sentBytes{Conn: plain}
	client := tls.Client(sent, &tls.Config{ServerName: "api.weixin.qq.com", InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}) // only sizes count
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	return sent.n
}

type sentBytes struct {
	net.Conn
	n int
}

func (s *sentBytes) Write(p []byte) (int, error) {
	s.n += len(p)
	return s.Conn.Write(p)
}

// paidOrder is a purchase as most are: the push comes and is believed, and nothing is left to do.
func (m *meter) paidOrder() (steps []cost.Step, id string) {
	var p *phone
	var bought, seen orderReply
	steps = append(steps, m.step("login", func() { p = m.login(openID) }))
	steps = append(steps, m.step("create", func() { p.buy("purchase-1").into(m.T, 201, &bought) }))
	id = bought.Order.ID
	p.pay(bought.Payment)
	steps = append(steps, m.step("push", func() { m.sim.DeliverDue(m.Context()) }))
	steps = append(steps, m.step("poll", func() { p.poll(id).into(m.T, 200, &seen) }))
	if seen.Order.State != "delivered" || !m.doc(id).Due.IsZero() {
		m.Fatalf("the order is %s and due at %v: something is left to do that is not counted", seen.Order.State, m.doc(id).Due)
	}
	return steps, id
}

// abandonedCart is an order whose user closes the cashier: it is looked at until the ladder ends. The login is that of
// another order.
func (m *meter) abandonedCart() (steps []cost.Step, id string) {
	p := m.login("o6_bmjrPTlm6_2sgVt7hMZOPfL2N")
	var bought orderReply
	steps = append(steps, m.step("create", func() { p.buy("purchase-1").into(m.T, 201, &bought) }))
	id = bought.Order.ID
	m.sim.RequestVirtualPayment(wechatsim.PaymentRequest{
		OpenID: p.openID, Mode: bought.Payment.Mode, SignData: bought.Payment.SignData, PaySig: bought.Payment.PaySig,
		Signature: bought.Payment.Signature, Action: "cancel",
	})
	began := m.doc(id).Created
	for n := 1; !m.doc(id).Due.IsZero(); n++ {
		if n > 20 {
			m.Fatal("the ladder does not end")
		}
		after := m.doc(id).Due.Sub(began)
		began = began.Add(-m.age(id))
		steps = append(steps, m.beside(m.step(fmt.Sprintf("look %d, after %s", n, after.Round(time.Minute)), m.look)))
	}
	if n := len(steps) - 1; n < 7 {
		m.Errorf("the cart was looked at %d times, the ladder has 7 steps", n)
	}
	return steps, id
}

// What a look costs beside the document is shared by those that are due at once.
func TestTenCartsThatAreDueAtOnceAreLookedAtInOneInvocation(t *testing.T) {
	t.Parallel()
	m := measure(t)
	for i := range 10 {
		p := m.login(fmt.Sprintf("%s%d", openID, i))
		var bought orderReply
		p.buy("purchase-1").into(m.T, 201, &bought)
		m.age(bought.Order.ID)
	}
	s := m.step("", func() {
		m.invoked("sweep")
		m.ok(m.tick())
		if n, err := m.queue.Poll(m.Context()); n != 10 || err != nil {
			m.Errorf("%d messages, %v: ten were expected", n, err)
		}
	})
	if s.Invocations["reconcile"] != 1 || s.SQSRequests != 3 {
		t.Errorf("%v invocations, %v requests to the queue; one and three are enough", s.Invocations, s.SQSRequests)
	}
}

// look is one tick of the schedule and the message that it sends. The queue is polled once: polls that find nothing come
// whatever is sold.
func (m *meter) look() {
	m.invoked("sweep")
	m.ok(m.tick())
	if n, err := m.queue.Poll(m.Context()); err != nil || n != 1 {
		m.Fatalf("%d messages, %v: one was expected", n, err)
	}
}

// beside takes the tick out of a step: it comes every minute and finds all that is due at once. What an entry of the index adds to
// its queries, a fiftieth of a unit, is not counted.
func (m *meter) beside(s cost.Step) cost.Step {
	delete(s.Invocations, "sweep")
	s.ReadUnits -= m.idle.ReadUnits
	s.LogBytes -= m.idle.LogBytes
	return s
}

// age moves an order's past back, so that it is due now, and returns by how much.
func (m *meter) age(id string) time.Duration {
	doc := m.doc(id)
	by := time.Until(doc.Due) + time.Second
	doc.Body = moment.ReplaceAllFunc(doc.Body, func(quoted []byte) []byte {
		at, err := time.Parse(time.RFC3339, string(quoted[1:len(quoted)-1]))
		m.ok(err)
		return []byte(at.Add(-by).Truncate(time.Millisecond).Format(`"2006-01-02T15:04:05.999Z"`))
	})
	doc.Due, doc.Stamp = doc.Due.Add(-by), ""
	_, err := m.store().Update(m.Context(), doc)
	m.ok(err)
	return by
}

var moment = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[0-9:.]+Z"`)

func (m *meter) store() *dynamo.Store {
	return dynamo.New(m.db, dynamo.Tables{Orders: m.vars["XPAY_ORDERS_TABLE"], Expiring: m.vars["XPAY_EXPIRING_TABLE"]}, time.Now)
}

func (m *meter) doc(id string) store.Doc {
	doc, err := m.store().Get(m.Context(), "order/"+id)
	m.ok(err)
	return doc
}

// stored is what DynamoDB keeps of an order: AWS adds 100 bytes to the item and to each entry of an index.
func (m *meter) stored(id string) int {
	item := m.item(m.vars["XPAY_ORDERS_TABLE"], capacity.Item{"id": {"S": "order/" + id}})
	n := item.Bytes() + 100
	for _, ix := range m.indexes {
		if e := ix.Entry(item); e != nil {
			n += e.Bytes() + 100
		}
	}
	return n
}

// step counts what happens in do.
func (m *meter) step(name string, do func()) cost.Step {
	m.count(func(w *cost.Work) { *w = cost.Work{Invocations: map[string]float64{}} })
	m.queueWire.Reset()
	before := map[string]int{}
	for name, f := range m.fn {
		before[name] = len(f.Logs())
	}
	do()
	m.mu.Lock()
	defer m.mu.Unlock()
	for operation, n := range m.queueWire.Counts() {
		m.work.SQSRequests += float64(n)
		if operation != "AmazonSQS.ReceiveMessage" && operation != "AmazonSQS.DeleteMessageBatch" {
			m.Errorf("the queue does %s", operation)
		}
	}
	for name, times := range m.work.Invocations {
		for _, line := range m.lines(name, before[name], int(times)) {
			m.work.LogBytes += len(requestID.ReplaceAllString(line, `"requestId":"8f5fbb3c-3e4e-4f6e-9d6a-0c6f1a2b3c4d"`)) + lineOverhead
		}
		m.work.LogBytes += int(times) * systemBytes(m.systemLevel)
	}
	done := m.work
	done.Invocations = maps.Clone(done.Invocations)
	return cost.Step{Name: name, Work: done}
}

// lines are what a function has logged since: one line for each invocation, which may come a moment after the answer.
func (m *meter) lines(function string, since, want int) (lines []string) {
	m.until(function+" logs", 10*time.Second, func() bool {
		lines = m.fn[function].Logs()[since:]
		return len(lines) >= want
	})
	if len(lines) != want && function != "reconcile" { // which logs a line for each message
		m.Errorf("%s logs %d lines for %d invocations: %q", function, len(lines), want, lines)
	}
	return lines
}

// openID is as long as WeChat's are.
const openID = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"

// lineOverhead is what CloudWatch adds to each event that it takes in.
const lineOverhead = 26

// systemLines are what Lambda writes of an invocation that goes well, as its documentation has them, at level INFO; DEBUG adds another.
// At WARN there are none.
const systemLines = `{"time":"2026-11-21T10:00:00.000Z","type":"platform.start","record":{"requestId":"8f5fbb3c-3e4e-4f6e-9d6a-0c6f1a2b3c4d","version":"$LATEST"}}
{"time":"2026-11-21T10:00:00.040Z","type":"platform.report","record":{"requestId":"8f5fbb3c-3e4e-4f6e-9d6a-0c6f1a2b3c4d","metrics":{"durationMs":39.914,"billedDurationMs":40,"memorySizeMB":256,"maxMemoryUsedMB":34},"status":"success"}}`

func systemBytes(level string) (n int) {
	if level == "WARN" {
		return 0
	}
	for line := range strings.Lines(systemLines) {
		n += len(strings.TrimSuffix(line, "\n")) + lineOverhead
	}
	return n
}

// requestID of Lambda is a UUID, ours is shorter.
var requestID = regexp.MustCompile(`"requestId":"[^"]*"`)

// passing counts a request of a function to AWS.
func (m *meter) passing(p lambdatest.Passing) lambdatest.Fault {
	service, operation, _ := strings.Cut(p.Operation, ".")
	switch service {
	case "DynamoDB_20120810":
		return m.dynamo(operation, p.Body)
	case "AmazonSQS":
		m.count(func(w *cost.Work) { w.SQSRequests++ })
	default:
		m.Errorf("a warm function does %s, which is not counted", p.Operation)
	}
	return lambdatest.Fault{}
}

func (m *meter) count(add func(*cost.Work)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	add(&m.work)
}

func (m *meter) dynamo(operation, body string) lambdatest.Fault {
	var in struct {
		TableName      string
		Key, Item      capacity.Item
		ConsistentRead bool
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		m.Error(err)
	}
	switch operation {
	case "GetItem", "Query":
		n := capacity.ReadUnits(m.found(operation, body), in.ConsistentRead)
		m.count(func(w *cost.Work) { w.ReadUnits += n })
	case "PutItem", "UpdateItem":
		key := in.Key
		if operation == "PutItem" {
			key = capacity.Item{"id": in.Item["id"]}
		}
		before := m.item(in.TableName, key)
		return lambdatest.Fault{After: func() {
			n := capacity.WriteUnits(before, m.item(in.TableName, key), m.indexes)
			m.count(func(w *cost.Work) { w.WriteUnits += n })
		}}
	default:
		m.Errorf("%s is not counted", operation)
	}
	return lambdatest.Fault{}
}

// found asks for the same again, past the wires.
func (m *meter) found(operation, body string) (items []capacity.Item) {
	var out struct {
		Item  capacity.Item
		Items []capacity.Item
	}
	m.ask(operation, []byte(body), &out)
	if out.Item != nil {
		out.Items = append(out.Items, out.Item)
	}
	return out.Items
}

func (m *meter) item(table string, key capacity.Item) capacity.Item {
	body, err := json.Marshal(map[string]any{"TableName": table, "Key": key, "ConsistentRead": true})
	if err != nil {
		m.Error(err)
	}
	var out struct{ Item capacity.Item }
	m.ask("GetItem", body, &out)
	return out.Item
}

// ask speaks DynamoDB's protocol, so that items come as they are sent.
func (m *meter) ask(operation string, body []byte, out any) {
	req, err := http.NewRequest("POST", m.endpoint, bytes.NewReader(body))
	if err != nil {
		m.Error(err)
		return
	}
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260301/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.Error(err)
		return
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil || resp.StatusCode != 200 {
		m.Errorf("%s: status %d, %v", operation, resp.StatusCode, err)
	}
}

// counted counts the invocations of a function.
type counted struct {
	m        *meter
	name     string
	function lambdatest.Invoker
}

func (c counted) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	c.m.invoked(c.name)
	return c.function.Invoke(ctx, event)
}

func (m *meter) invoked(function string) {
	m.count(func(w *cost.Work) { w.Invocations[function]++ })
}

// door counts requests at the API: each is one invocation, one line of the access log, and an answer.
func (m *meter) door(api http.Handler) http.Handler {
	door := http.NewServeMux()
	for _, r := range httpapi.Routes() {
		door.HandleFunc(r.Method+" "+r.Path, func(w http.ResponseWriter, req *http.Request) {
			m.invoked(r.Function)
			answer := &sized{ResponseWriter: w}
			api.ServeHTTP(answer, req)
			line := len(m.accessLine(r.Method+" "+r.Path, answer)) + lineOverhead
			m.count(func(w *cost.Work) {
				w.APIRequests++
				w.LogBytes += line
				w.OutBytes += answer.bytes()
			})
		})
	}
	return door
}

// sized measures an answer.
type sized struct {
	http.ResponseWriter
	status, body int
}

func (s *sized) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (s *sized) Write(p []byte) (int, error) {
	s.body += len(p)
	return s.ResponseWriter.Write(p)
}

// bytes is the size of the answer with its head, and with the two headers that API Gateway adds.
func (s *sized) bytes() int {
	head := "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nApigw-Requestid: JKJaXmPLvHcESHA=\r\n\r\n"
	n := len(head) + s.body
	for name, values := range s.Header() {
		n += len(name) + len(": \r\n") + len(strings.Join(values, ","))
	}
	return n
}

// accessLine is the line that API Gateway writes, with values as in its documentation.
func (m *meter) accessLine(route string, answer *sized) string {
	line := strings.NewReplacer(
		"$context.requestId", "JKJaXmPLvHcESHA=", "$context.routeKey", route,
		"$context.integration.requestId", "8f5fbb3c-3e4e-4f6e-9d6a-0c6f1a2b3c4d",
		"$context.status", strconv.Itoa(answer.status), "$context.responseLatency", "120", "$context.integrationLatency", "110",
		"$context.error.message", "-", "$context.integrationErrorMessage", "-",
		"$context.identity.sourceIp", "203.0.113.178",
	).Replace(m.accessLog)
	if strings.Contains(line, "$context") {
		m.Errorf("the access log has a variable without a value here: %s", line)
	}
	return line
}

// stack is template.yaml as far as it costs something.
type stack struct {
	Parameters map[string]struct {
		Default string `yaml:"Default"`
	} `yaml:"Parameters"`
	Globals struct {
		Function struct {
			LoggingConfig logging `yaml:"LoggingConfig"`
		} `yaml:"Function"`
	} `yaml:"Globals"`
	Resources map[string]resource `yaml:"Resources"`
}

type logging struct {
	Application yaml.Node `yaml:"ApplicationLogLevel"`
	System      yaml.Node `yaml:"SystemLogLevel"`
}

type resource struct {
	Type       string    `yaml:"Type"`
	Condition  string    `yaml:"Condition"`
	Properties yaml.Node `yaml:"Properties"`
}

func readStack(t *testing.T) stack {
	raw, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var s stack
	if err := yaml.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// text is a text of the template: itself, or the default of the parameter that it refers to.
func (s stack) text(n yaml.Node) string {
	if n.Tag == "!Ref" {
		return s.Parameters[n.Value].Default
	}
	return n.Value
}

// logLevels are those of the functions' own lines and of Lambda's, which all functions share.
func (s stack) logLevels(t *testing.T) (application, system string) {
	all := s.Globals.Function.LoggingConfig
	for id, r := range s.Resources {
		var of struct {
			LoggingConfig logging `yaml:"LoggingConfig"`
		}
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		if err := r.Properties.Decode(&of); err != nil {
			t.Fatal(err)
		}
		if own := of.LoggingConfig; !own.Application.IsZero() || !own.System.IsZero() {
			t.Errorf("%s has log levels of its own, which are not counted", id)
		}
	}
	return s.text(all.Application), s.text(all.System)
}

func (s stack) accessLogFormat(t *testing.T) string {
	var api struct {
		Settings struct {
			Format string `yaml:"Format"`
		} `yaml:"AccessLogSettings"`
	}
	node := s.Resources["Api"].Properties
	if err := node.Decode(&api); err != nil || api.Settings.Format == "" {
		t.Fatalf("the access log has no format: %v", err)
	}
	return api.Settings.Format
}

// costsOfTemplate counts what costs by the month whatever is sold.
func costsOfTemplate(t *testing.T) (c cost.Template) {
	s, memory := readStack(t), map[string]int{}
	filtered := map[string]bool{}
	for id, r := range s.Resources {
		switch {
		case r.Condition != "":
		case r.Type == "AWS::Serverless::Function":
			memory[strings.ToLower(strings.TrimSuffix(id, "Function"))] = r.memory(t, s)
		case r.Type == "AWS::CloudWatch::Alarm":
			c.Alarms++
			c.AlarmMetrics += r.watched(t)
		case r.Type == "AWS::CloudWatch::Dashboard":
			c.Dashboards++
		case r.Type == "AWS::SecretsManager::Secret":
			c.Secrets++
		case r.Type == "AWS::Logs::MetricFilter":
			var filter struct {
				Transformations []struct {
					MetricName string `yaml:"MetricName"`
				} `yaml:"MetricTransformations"`
			}
			if err := r.Properties.Decode(&filter); err != nil {
				t.Fatal(err)
			}
			for _, m := range filter.Transformations {
				filtered[m.MetricName] = true
			}
		}
	}
	c.Metrics = len(observe.MetricNames()) + len(filtered)
	c.MemoryMB = memory
	c.LogLevel, c.SystemLogLevel = s.logLevels(t)
	var reconcile struct {
		Events struct {
			Messages struct {
				Properties struct {
					BatchSize int `yaml:"BatchSize"`
					Window    int `yaml:"MaximumBatchingWindowInSeconds"`
				} `yaml:"Properties"`
			} `yaml:"Messages"`
		} `yaml:"Events"`
	}
	node := s.Resources["ReconcileFunction"].Properties
	if err := node.Decode(&reconcile); err != nil {
		t.Fatal(err)
	}
	if c.BatchSize = 1; reconcile.Events.Messages.Properties.Window > 0 { // without it, Lambda takes what is there first
		c.BatchSize = reconcile.Events.Messages.Properties.BatchSize
	}
	return c
}

// watched is how many metrics an alarm reads: each is charged as an alarm.
func (r resource) watched(t *testing.T) int {
	var of struct {
		Metrics []struct {
			MetricStat *yaml.Node `yaml:"MetricStat"`
		} `yaml:"Metrics"`
	}
	if err := r.Properties.Decode(&of); err != nil {
		t.Fatal(err)
	}
	if len(of.Metrics) == 0 {
		return 1
	}
	n := 0
	for _, m := range of.Metrics {
		if m.MetricStat != nil {
			n++
		}
	}
	return n
}

// memory is a function's own, or the parameter's default.
func (r resource) memory(t *testing.T, s stack) int {
	var of struct {
		MemorySize string `yaml:"MemorySize"`
	}
	if err := r.Properties.Decode(&of); err != nil {
		t.Fatal(err)
	}
	mb, err := strconv.Atoi(cmp.Or(of.MemorySize, s.Parameters["MemoryMegabytes"].Default))
	if err != nil {
		t.Fatal(err)
	}
	return mb
}
