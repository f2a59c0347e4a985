package catalog

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func parse(t *testing.T, text string) *Catalog {
	t.Helper()
	c, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestErrorsOfGoodsYAMLSayWhichProductAndWhatToDo(t *testing.T) {
	t.Parallel()
	product := func(fields string) string { return "products:\n  - {" + fields + "}\n" }
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"no id":                        {product("name: a, price: 100"), []string{"product 1", "id must be"}},
		"a bad id":                     {product("id: 'vip month', name: a, price: 100"), []string{"product 1", `"vip month"`, "letters, digits"}},
		"an id that is long":           {product("id: " + strings.Repeat("a", 65) + ", name: a, price: 100"), []string{"at most", "id must be"}[1:]},
		"no name":                      {product("id: vip, price: 100"), []string{"product 1", `"vip"`, "name must have"}},
		"a name that is long":          {product("id: vip, price: 100, name: " + strings.Repeat("道", 21)), []string{`"vip"`, "20 characters"}},
		"no price":                     {product("id: vip, name: a"), []string{`"vip"`, "price must be above 0", "fen"}},
		"a negative price":             {product("id: vip, name: a, price: -1"), []string{`"vip"`, "price must be above 0"}},
		"yuan for fen":                 {product("id: vip, name: a, price: 5000001"), []string{`"vip"`, "is it really in fen?"}},
		"a price in yuan":              {product("id: vip, name: a, price: 18.5"), []string{"line 2", "18.5", "whole number", "fen"}},
		"half a piece":                 {product("id: vip, name: a, price: 100, maxQuantity: 1.5"), []string{"line 2", "maxQuantity"}},
		"a price of 1e3":               {product("id: vip, name: a, price: 1e3"), []string{"line 2", "price"}},
		"two documents":                {"products: []\n---\nproducts:\n  - {id: vip, name: a, price: 100}\n", []string{"more than one document"}},
		"a price as text":              {product("id: vip, name: a, price: cheap"), []string{"line 2"}},
		"an unknown kind":              {product("id: vip, name: a, price: 100, kind: forever"), []string{`"vip"`, `"forever"`, "durable or consumable"}},
		"too many at once":             {product("id: vip, name: a, price: 100, maxQuantity: 1001"), []string{`"vip"`, "maxQuantity must be 1 to 1000"}},
		"a picture that is no address": {product("id: vip, name: a, price: 100, picture: vip.png"), []string{`"vip"`, "picture must be"}},
		"less than one":                {product("id: vip, name: a, price: 100, maxQuantity: -1"), []string{`"vip"`, "maxQuantity must be 1 to 1000"}},
		"an unknown field":             {"products:\n  - id: vip\n    name: a\n    prise: 100\n", []string{"line 4", "prise"}},
		"an unknown list":              {"goods:\n  - id: vip\n", []string{"line 1", "goods"}},
		"a field twice":                {"products:\n  - id: vip\n    price: 1\n    price: 2\n", []string{"line 4", "price"}},
		"no YAML":                      {"products: [", []string{"line 1"}},
		"no list":                      {"products: vip\n", []string{"line 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(strings.NewReader(c.text))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(c.want, "goods.yaml") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestAllProblemsAreSaidAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Parse(strings.NewReader("products:\n  - {id: a, name: a, price: 0}\n  - {id: b, name: b, price: 100}\n  - {id: b, price: 100}\n"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`product 1 ("a")`, `product 3 ("b")`, "stands twice", "name must have"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestAFileOfMoreThanItsLimitIsRefusedAndNotCutOff(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("products:\n")
	for i := range 900 {
		fmt.Fprintf(&b, "  - {id: p%d, name: a, price: 100, remark: %q}\n", i, strings.Repeat("x", 1400))
	}
	if _, err := Parse(strings.NewReader(b.String())); err == nil || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
		t.Errorf("a file of %d bytes: %v", b.Len(), err)
	}
	b.Reset()
	b.WriteString("products:\n")
	for i := range 1001 {
		fmt.Fprintf(&b, "  - {id: p%d, name: a, price: 100}\n", i)
	}
	if _, err := Parse(strings.NewReader(b.String())); err == nil || !strings.Contains(err.Error(), "at most 1000") {
		t.Errorf("1001 products: %v", err)
	}
}

func TestAProductThatIsLeftShortIsDurableAndSoldOneByOne(t *testing.T) {
	t.Parallel()
	p, ok := parse(t, "products:\n  - {id: vip, name: a, price: 1800}\n").Find("vip")
	if !ok || p.Kind != Durable || p.Consumable() || p.MaxQuantity != 1 || p.Price != 1800 {
		t.Errorf("%+v", p)
	}
}

func TestAHiddenProductIsNotSold(t *testing.T) {
	t.Parallel()
	c := parse(t, "products:\n  - {id: old, name: a, price: 1, hidden: true}\n  - {id: new, name: a, price: 100, kind: consumable}\n")
	if _, ok := c.Find("old"); ok {
		t.Error("it is found")
	}
	if got := c.Products(); len(got) != 1 || got[0].ID != "new" || !got[0].Consumable() {
		t.Errorf("sold: %+v", got)
	}
	if len(c.All()) != 2 || len(c.Warnings()) != 0 {
		t.Errorf("all %+v, warnings %v", c.All(), c.Warnings())
	}
}

func TestAPriceBelowOneYuanWarns(t *testing.T) {
	t.Parallel()
	c := parse(t, "products:\n  - {id: cheap, name: a, price: 99}\n  - {id: fine, name: a, price: 100}\n")
	if got := c.Warnings(); len(got) != 1 || !strings.Contains(got[0], "cheap") || !strings.Contains(got[0], "iOS") || !strings.Contains(got[0], "99") {
		t.Errorf("warnings: %q", got)
	}
}

func TestAnEmptyFileSellsNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing yet\n", "products:\n", "products: []\n"} {
		if c := parse(t, text); len(c.Products()) != 0 {
			t.Errorf("%q sells %+v", text, c.Products())
		}
	}
}

func TestAMissingFileIsNamed(t *testing.T) {
	t.Parallel()
	if _, err := Load(filepath.Join(t.TempDir(), "goods.yaml")); err == nil || !strings.Contains(err.Error(), "goods.yaml") {
		t.Errorf("%v", err)
	}
}

func TestACatalogDoesNotChangeWithWhatItWasMadeOf(t *testing.T) {
	t.Parallel()
	mine := []Product{{ID: "vip", Name: "a", Price: 1800}}
	c, err := New(mine)
	if err != nil {
		t.Fatal(err)
	}
	mine[0].Price = 1
	c.All()[0].Price = 2
	c.Products()[0].Price = 3
	if p, _ := c.Find("vip"); p.Price != 1800 {
		t.Errorf("the price is %d", p.Price)
	}
}
