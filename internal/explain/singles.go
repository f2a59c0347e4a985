package explain

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/xpay-serverless/xpay-serverless/internal/ordered"
)

// singles changes the outermost fields of a body one at a time. The text is written once; each changed body is a piece
// of it, the change, and the rest.
type singles struct {
	text     []byte
	fields   []ordered.Placed
	between  []byte   // what stands between two fields
	platform [][]byte // the obsolete field, for android and ios; none if the body has it
}

func newSingles(v ordered.Value, style ordered.Style) singles {
	var s singles
	if v.Kind != ordered.Object {
		return s
	}
	s.text, s.fields = style.Fields(v)
	_, there := v.Get("platform")
	for _, name := range []string{"android", "ios"} {
		field := ordered.Field{Name: "platform", Value: ordered.Value{Kind: ordered.String, Text: name}}
		two, at := style.Fields(ordered.Value{Kind: ordered.Object, Fields: []ordered.Field{field, field}})
		s.between = two[at[0].End:at[1].Start]
		if !there {
			s.platform = append(s.platform, two[at[0].Start:at[0].End])
		}
	}
	return s
}

// changed are the bodies in which one of the fields from..to-1 differs.
func (s singles) changed(from, to int) (all []way[content]) {
	for i := from; i < to; i++ {
		f := s.fields[i]
		all = append(all, way[content]{"field", f.Name + " was not signed", s.without(i)})
		if f.Value.Kind == ordered.Number {
			all = append(all, way[content]{"types", f.Name + " as text", s.value(f, `"`+f.Value.Text+`"`)})
		}
		if n := textToNumber(f.Value); n.Kind != f.Value.Kind {
			all = append(all, way[content]{"types", f.Name + " as a number", s.value(f, n.Text)})
		}
		for _, yuan := range inYuan(f.Field) {
			all = append(all, way[content]{"yuan", f.Name + " as " + yuan, s.value(f, yuan)})
		}
		all = append(all, s.withPlatform(i)...)
	}
	return all
}

// prices are the fields that hold fen. Spec 2.2, 4.8, 4.17.
var prices = []string{"goodsPrice", "activitySellingPrice", "left_fee", "refund_fee", "deduct_price"}

// inYuan writes a price in fen as programs write yuan: 18.50 and 18.5, or 18.00, 18.0 and 18. Other fields give nothing.
func inYuan(f ordered.Field) []string {
	fen, err := strconv.ParseUint(f.Value.Text, 10, 63)
	if err != nil || f.Value.Kind != ordered.Number || !slices.Contains(prices, f.Name) {
		return nil
	}
	all := []string{fmt.Sprintf("%d.%02d", fen/100, fen%100)}
	if fen%10 == 0 {
		all = append(all, fmt.Sprintf("%d.%d", fen/100, fen/10%10))
	}
	if fen%100 == 0 {
		all = append(all, fmt.Sprint(fen/100))
	}
	return all
}

func (s singles) without(i int) content {
	switch last := len(s.fields) - 1; {
	case i > 0:
		return content{s.text[:s.fields[i-1].End], s.text[s.fields[i].End:]}
	case last > 0:
		return content{s.text[:s.fields[0].Start], s.text[s.fields[1].Start:]}
	}
	return whole([]byte("{}"))
}

func (s singles) value(f ordered.Placed, by string) content {
	return content{s.text[:f.ValueStart], []byte(by), s.text[f.End:]}
}

// withPlatform has the obsolete field before the first field and behind each: it was signed and not sent (trap 12).
func (s singles) withPlatform(i int) (all []way[content]) {
	for _, platform := range s.platform {
		if start := s.fields[0].Start; i == 0 {
			first := append(append([]byte(nil), platform...), s.between...)
			all = append(all, way[content]{"field", "platform was signed, not sent", content{s.text[:start], first, s.text[start:]}})
		}
		next, end := append(append([]byte(nil), s.between...), platform...), s.fields[i].End
		all = append(all, way[content]{"field", "platform was signed, not sent", content{s.text[:end], next, s.text[end:]}})
	}
	return all
}
