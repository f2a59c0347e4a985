// Package cost computes what AWS asks for a deployment: the requests that were counted when the built functions served one
// order, one abandoned cart and one tick of the schedule, times a dated table of prices. counts.json is written by a test that
// watches the wire between the functions and AWS (internal/lambdae2e, -run Cost -update); nothing in it is estimated. What
// cannot be counted on one machine, because it depends on AWS's hardware or on who uses the deployment, is an Assumption.
package cost

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
)

// Work is what one piece of work asked of AWS.
type Work struct {
	APIRequests  int                `json:"apiRequests"`
	Invocations  map[string]float64 `json:"invocations"` // of each function
	MoreMessages float64            `json:"-"`
	WriteUnits   int                `json:"writeUnits"` // of DynamoDB, indexes included
	ReadUnits    float64            `json:"readUnits"`
	SQSRequests  float64            `json:"sqsRequests"` // to send, receive and delete
	LogBytes     int                `json:"logBytes"`    // of the functions and the access log, with CloudWatch's 26 for each line
	OutBytes     int                `json:"outBytes"`    // head and body of the answers
	WeChatCalls  int                `json:"weChatCalls"` // from the functions
	WeChatBytes  int                `json:"weChatBytes"` // head and body of these calls
}

// Start is what a function asks of AWS before its first event, besides what every invocation does.
type Start struct {
	SecretReads int     `json:"secretReads"`
	ReadUnits   float64 `json:"readUnits"` // of DynamoDB: a look whether the tables are there
}

// Step is a part of the work that has a name.
type Step struct {
	Name string `json:"name"`
	Work
}

// Template is what template.yaml makes that costs by the month, with every parameter at its default.
type Template struct {
	MemoryMB  map[string]int `json:"memoryMB"`  // of each function
	BatchSize int            `json:"batchSize"` // messages that one invocation of reconcile gets at most
	Secrets   int            `json:"secrets"`

	LogLevel       string `json:"logLevel"`       // of the functions' own lines
	SystemLogLevel string `json:"systemLogLevel"` // of those that Lambda writes

	Alarms       int `json:"alarms"`
	AlarmMetrics int `json:"alarmMetrics"` // that the alarms read: each is charged
	Metrics      int `json:"metrics"`
	Dashboards   int `json:"dashboards"`
}

// worker is the function that takes the messages of the queue.
const worker = "reconcile"

// Counts is what was counted.
type Counts struct {
	Paid           []Step           `json:"paid"`           // one order that is paid before its first look, and told by a push
	Cart           []Step           `json:"cart"`           // one that is created and never paid, to its last look
	Tick           Work             `json:"tick"`           // a sweep that finds nothing
	PaidStored     int              `json:"paidStored"`     // bytes that stay of a paid order, with indexes
	CartStored     int              `json:"cartStored"`     // and of an abandoned one
	Starts         map[string]Start `json:"starts"`         // of each function, long after its secrets were put in
	RefreshReads   int              `json:"refreshReads"`   // of secrets that are read again and have not changed, in the function with most
	HandshakeBytes int              `json:"handshakeBytes"` // that a function sends to open a connection with TLS
	Template       Template         `json:"template"`
}

//go:embed counts.json
var countsJSON []byte

// Counted returns the figures of this release.
func Counted() (Counts, error) {
	var c Counts
	if err := strictly(countsJSON, &c); err != nil {
		return c, fmt.Errorf("counts.json: %w", err)
	}
	return c, nil
}

// Sum adds up steps.
func Sum(steps []Step) Work {
	sum := Work{Invocations: map[string]float64{}}
	for _, s := range steps {
		sum.APIRequests += s.APIRequests
		sum.WriteUnits += s.WriteUnits
		sum.ReadUnits += s.ReadUnits
		sum.SQSRequests += s.SQSRequests
		sum.LogBytes += s.LogBytes
		sum.OutBytes += s.OutBytes
		sum.WeChatCalls += s.WeChatCalls
		sum.WeChatBytes += s.WeChatBytes
		for name, n := range s.Invocations {
			sum.Invocations[name] += n
		}
	}
	return sum
}

// batched is the work of looks, which come from the queue: batch of them share the invocation and the requests to send,
// receive and delete, and each but the first makes the invocation a little longer.
func (w Work) batched(batch float64) Work {
	w.Invocations = maps.Clone(w.Invocations)
	w.MoreMessages = w.Invocations[worker] * (batch - 1) / batch
	w.Invocations[worker] /= batch
	w.SQSRequests /= batch
	return w
}

func (w Work) invocations() (n float64) {
	for _, times := range w.Invocations {
		n += times
	}
	return n
}

// startsOf adds up what the cold starts among the invocations ask for.
func (w Work) startsOf(starts map[string]Start) (secretReads, readUnits float64) {
	for name, times := range w.Invocations {
		secretReads += times * coldShare * float64(starts[name].SecretReads)
		readUnits += times * coldShare * starts[name].ReadUnits
	}
	return secretReads, readUnits
}

// toWeChat is what the functions send to WeChat, in bytes.
func (w Work) toWeChat(handshakeBytes int) float64 {
	return float64(w.WeChatBytes) + float64(w.WeChatCalls)*openingShare*float64(handshakeBytes)
}

// gbSeconds is the duration that Lambda bills, from the assumptions.
func (w Work) gbSeconds(memoryMB map[string]int) (sum float64) {
	for name, times := range w.Invocations {
		sum += times * billedMS(name) / 1000 * float64(memoryMB[name]) / 1024
	}
	return sum + w.MoreMessages*moreMS/1000*float64(memoryMB[worker])/1024
}

func strictly(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("there is more than one value")
	}
	return nil
}
