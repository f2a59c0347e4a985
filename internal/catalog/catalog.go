// Package catalog is the server's word on what things cost. The phone names a product and a quantity; the price
// comes from here, in fen.
package catalog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Kind says what buying a product again means.
type Kind string

const (
	Durable    Kind = "durable"    // owned until refunded: an unlock, a membership
	Consumable Kind = "consumable" // used up once, by POST /orders/{id}/consume
)

// Product is one 道具 as WeChat's console has it.
type Product struct {
	ID          string   `yaml:"id"`          // the goods id in WeChat's console (spec 4.11: letters, digits, _ and -, at most 64)
	Name        string   `yaml:"name"`        // shown to the user
	Price       xpay.Fen `yaml:"price"`       // fen, of one piece
	Kind        Kind     `yaml:"kind"`        // durable or consumable
	MaxQuantity int      `yaml:"maxQuantity"` // pieces in one order; 1 if absent
	Hidden      bool     `yaml:"hidden"`      // true: not sold, not listed
	Remark      string   `yaml:"remark"`
	Picture     string   `yaml:"picture"` // https address of a jpg or png, which WeChat wants with an upload; may be absent
}

// Limits of goods.yaml.
const (
	productsMax   = 1000
	quantityMax   = 1000
	fileBytesMax  = 1 << 20
	iosMinimumFen = 100     // spec 1.5: iOS payments start at 1 yuan
	priceMaxFen   = 5000000 // a guard against a slip of the keyboard: 50 000 yuan
	nameRunesMax  = 20      // spec 4.11
)

var productID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Catalog is an immutable list of products.
type Catalog struct {
	products []Product
	byID     map[string]Product
}

// New makes a catalogue of products, or says everything that is wrong with them.
func New(products []Product) (*Catalog, error) {
	c := &Catalog{products: slices.Clone(products), byID: map[string]Product{}}
	var problems []error
	for i := range c.products {
		p := &c.products[i]
		p.Kind = cmp.Or(p.Kind, Durable)
		p.MaxQuantity = cmp.Or(p.MaxQuantity, 1)
		if err := p.check(); err != nil {
			problems = append(problems, fmt.Errorf("product %d (%q): %w", i+1, p.ID, err))
		}
		if _, twice := c.byID[p.ID]; twice {
			problems = append(problems, fmt.Errorf("product %d (%q): the id stands twice", i+1, p.ID))
		}
		c.byID[p.ID] = *p
	}
	if len(products) > productsMax {
		problems = append(problems, fmt.Errorf("%d products, at most %d are possible", len(products), productsMax))
	}
	return c, errors.Join(problems...)
}

func (p Product) check() error {
	switch {
	case !productID.MatchString(p.ID):
		return errors.New("id must be 1 to 64 letters, digits, _ or -")
	case p.Name == "" || len([]rune(p.Name)) > nameRunesMax:
		return fmt.Errorf("name must have 1 to %d characters", nameRunesMax)
	case p.Price <= 0:
		return errors.New("price must be above 0; it is in fen, 1 yuan is 100")
	case p.Price > priceMaxFen:
		return fmt.Errorf("price is %d fen, more than %d: is it really in fen?", p.Price, priceMaxFen)
	case p.Kind != Durable && p.Kind != Consumable:
		return fmt.Errorf("kind is %q, it must be durable or consumable", p.Kind)
	case p.MaxQuantity < 1 || p.MaxQuantity > quantityMax:
		return fmt.Errorf("maxQuantity must be 1 to %d", quantityMax)
	case p.Picture != "" && !strings.HasPrefix(p.Picture, "https://") && !strings.HasPrefix(p.Picture, "http://"):
		return errors.New("picture must be the http or https address of a jpg or png")
	default:
		return nil
	}
}

// file is the shape of goods.yaml.
type file struct {
	Products []Product `yaml:"products"`
}

// Parse reads goods.yaml. An unknown or misspelt field is an error with its line.
func Parse(r io.Reader) (*Catalog, error) {
	raw, err := io.ReadAll(io.LimitReader(r, fileBytesMax+1))
	if err == nil && len(raw) > fileBytesMax {
		err = fmt.Errorf("the file is larger than %d bytes", fileBytesMax)
	}
	var f file
	if err == nil {
		f, err = decode(raw)
	}
	if err != nil {
		return nil, fmt.Errorf("goods.yaml: %s", strings.ReplaceAll(err.Error(), "yaml: ", ""))
	}
	c, err := New(f.Products)
	if err != nil {
		return nil, fmt.Errorf("goods.yaml: %w", err)
	}
	return c, nil
}

func decode(raw []byte) (f file, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&f); errors.Is(err, io.EOF) {
		return f, nil
	} else if err != nil {
		return f, err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return f, errors.New("more than one document (---), only one is read")
	}
	return f, wholeNumbers(raw)
}

// wholeNumbers refuses 18.5 where the decoder would read 18: a price in yuan would become one in fen.
func wholeNumbers(raw []byte) error {
	var f struct {
		Products []struct {
			Price       yaml.Node `yaml:"price"`
			MaxQuantity yaml.Node `yaml:"maxQuantity"`
		} `yaml:"products"`
	}
	if err := yaml.Unmarshal(raw, &f); err != nil {
		return err
	}
	var problems []error
	for _, p := range f.Products {
		for i, n := range []yaml.Node{p.Price, p.MaxQuantity} {
			if n.Kind == yaml.AliasNode {
				n = *n.Alias
			}
			if n.ShortTag() == "!!float" {
				name := [...]string{"price", "maxQuantity"}[i]
				problems = append(problems, fmt.Errorf("line %d: %s is %s, it must be a whole number; a price is in fen, 18.50 yuan are 1850", n.Line, name, n.Value))
			}
		}
	}
	return errors.Join(problems...)
}

// Load reads a file with Parse.
func Load(path string) (*Catalog, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("goods.yaml: %w", err)
	}
	defer f.Close()
	return Parse(f)
}

// Find returns a product that is sold.
func (c *Catalog) Find(id string) (Product, bool) {
	p, ok := c.byID[id]
	return p, ok && !p.Hidden
}

// Products lists what is sold, in the file's order.
func (c *Catalog) Products() []Product {
	var sold []Product
	for _, p := range c.products {
		if !p.Hidden {
			sold = append(sold, p)
		}
	}
	return sold
}

// All lists every product, hidden ones too.
func (c *Catalog) All() []Product { return slices.Clone(c.products) }

// Warnings lists what works but will surprise: prices that iOS refuses.
func (c *Catalog) Warnings() []string {
	var out []string
	for _, p := range c.Products() {
		if p.Price < iosMinimumFen {
			out = append(out, fmt.Sprintf("product %s costs %d fen: on iOS the least payment is %d fen (1 yuan), it cannot be bought there", p.ID, p.Price, iosMinimumFen))
		}
	}
	return out
}

// Consumable reports whether the product is used up.
func (p Product) Consumable() bool { return p.Kind == Consumable }
