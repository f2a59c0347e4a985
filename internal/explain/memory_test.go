package explain

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// wide is a body with that many fields, and a value that no mistake produces, so that every mistake is made.
func wide(fields int) Question {
	var b strings.Builder
	b.WriteString(`{"env":0`)
	for i := range fields {
		fmt.Fprintf(&b, `,"field%05d":%d`, i, i%10)
	}
	b.WriteString("}")
	return Question{URI: "/xpay/query_order", AppKey: "k", Body: []byte(b.String()), Got: strings.Repeat("0", 64)}
}

// TestTheMemoryOfABodyGrowsAsItsLength runs alone: it reads a counter of the whole process. Four times the fields may take
// four times the memory, and a good deal of that is one-time work; sixteen times would be the square.
func TestTheMemoryOfABodyGrowsAsItsLength(t *testing.T) {
	taken := func(fields int) float64 {
		q := wide(fields)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if a := ask(t, q); a.Known() {
			t.Fatalf("%+v", a)
		}
		runtime.ReadMemStats(&after)
		return float64(after.TotalAlloc - before.TotalAlloc)
	}
	few, many := taken(1100), taken(4400)
	if many > 5*few {
		t.Errorf("1100 fields took %.0f bytes, 4400 took %.0f", few, many)
	}
	if perByte := many / float64(len(wide(4400).Body)); perByte > 2000 {
		t.Errorf("a byte of the body took %.0f bytes", perByte)
	}
}

// TestOneOfManyFieldsIsFound: python3 -c 'b="{"+",".join("\"f%d\":%d"%(i,i) for i in range(3000))+"}"', without f2999,
// behind /xpay/query_order& and through openssl dgst -sha256 -hmac k.
func TestOneOfManyFieldsIsFound(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 3000 {
		all = append(all, fmt.Sprintf(`"f%d":%d`, i, i))
	}
	q := Question{URI: "/xpay/query_order", AppKey: "k", Body: []byte("{" + strings.Join(all, ",") + "}"), Got: "9647037cdb4965548329f3f07394f8793f9bb40fae53464c9395bbbc392e4997"}
	a := ask(t, q)
	if len(a.Causes) != 1 || !slices.Equal(ids(a.Causes[0]), []string{"field"}) || a.Causes[0].Mistakes[0].Detail != "f2999 was not signed" {
		t.Errorf("%+v", a)
	}
}

func TestABodyTooLongForEveryFieldSaysSo(t *testing.T) {
	t.Parallel()
	a := ask(t, wide(5000))
	if a.Known() || len(a.Notes) == 0 || !strings.Contains(a.Notes[len(a.Notes)-1].What, "were not changed one at a time") {
		t.Errorf("%+v", a.Notes)
	}
}

func BenchmarkABodyOfManyFields(b *testing.B) {
	for _, fields := range []int{1000, 2000, 4000, 8000} {
		b.Run(fmt.Sprint(fields), func(b *testing.B) {
			q := wide(fields)
			b.ReportAllocs()
			b.SetBytes(int64(len(q.Body)))
			for b.Loop() {
				if a, err := Explain(q); err != nil || a.Known() {
					b.Fatal(a, err)
				}
			}
		})
	}
}
