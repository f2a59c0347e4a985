package bridge

import (
	"encoding/json"
	"testing"
)

// FuzzDecodeSQS: what is taken for a batch of SQS is an object that names SQS in each of its records.
func FuzzDecodeSQS(f *testing.F) {
	for _, event := range []string{
		`{"Records":[{"messageId":"m1","eventSource":"aws:sqs","body":"b","attributes":{"ApproximateReceiveCount":"1"}}]}`,
		`{"Records":[]}`, `{"Records":null}`, `{"records":[{"EventSource":"aws:sqs"}]}`, `{"Records":[{"eventSource":"aws:s3"}]}`,
		`{"Records":[{"eventSource":"aws:sqs"},null]}`, `{"Records":{}}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(event))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		batch, ok, err := decodeSQS(event)
		if !ok {
			return
		}
		var object map[string]any
		if err != nil || json.Unmarshal(event, &object) != nil {
			t.Fatalf("%q is taken for a batch, %v", event, err)
		}
		for _, m := range batch.Records {
			if m.EventSource != "aws:sqs" {
				t.Errorf("%q is a message of SQS", event)
			}
		}
	})
}
