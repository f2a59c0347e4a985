package dynamo_test

import (
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// BenchmarkCalls measures what a call costs besides DynamoDB, the SDK's part included: every answer is canned.
func BenchmarkCalls(b *testing.B) {
	w := offline()
	doc := order("order/b")
	doc.Version, doc.Body = 1, make([]byte, 1000)
	stored := itemAt(placeB)
	for _, bench := range []struct {
		name    string
		call    func() error
		answers []fault
	}{
		{"create", w.create(doc), []fault{answer(200, `{}`)}},
		{"get", w.get(doc.ID), []fault{answer(200, `{"Item":`+stored+`}`)}},
		{"update", w.update(doc), []fault{answer(200, `{"Attributes":`+stored+`}`)}},
		{"byuser", w.byUser("alice"), []fault{index(placeB), batch(stored)}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			w.take()
			b.ReportAllocs()
			for b.Loop() {
				w.plan = bench.answers
				if err := bench.call(); store.Unknown(err) {
					b.Fatal(err)
				}
			}
			var requests int
			for _, n := range w.take() {
				requests += n
			}
			b.ReportMetric(float64(requests)/float64(b.N), "requests/op")
		})
	}
}
