package catalog

import (
	"strings"
	"testing"
)

// FuzzParse reads any bytes as goods.yaml: what is accepted can be sold.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"products:\n  - {id: gems_60, name: 60 gems, price: 600, kind: consumable, maxQuantity: 9}\n" +
			"  - {id: vip, name: 会员, price: 1800, hidden: true}\n",
		"products:\n  - {id: a, name: a, price: 18.5}\n", "products: [{id: a, name: a, price: &p 1, maxQuantity: *p}]",
		"products: [&a {id: a}, *a]",
		"a: &a [*a]", "--- {}\n--- {}", "products: [{id: a, name: a, price: 0x10}]", "products: {}", "null", "\t",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(strings.NewReader(text))
		if err != nil {
			if c != nil || !strings.HasPrefix(err.Error(), "goods.yaml: ") {
				t.Errorf("%v, %v", c, err)
			}
			return
		}
		ids := map[string]bool{}
		for _, p := range c.All() {
			if p.ID == "" || len(p.ID) > 64 || ids[p.ID] || p.Name == "" || p.Price <= 0 || p.MaxQuantity < 1 {
				t.Errorf("%q is sold as %+v", text, p)
			}
			ids[p.ID] = true
			if found, ok := c.Find(p.ID); ok == p.Hidden || ok && found != p {
				t.Errorf("%q is found as %+v, %t", p.ID, found, ok)
			}
		}
	})
}
