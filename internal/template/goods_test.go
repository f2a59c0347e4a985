package template

import (
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
)

// TestTheGoodsCanBeSold: goods.yaml is deployed with the functions, and one that cannot be read stops all sales.
func TestTheGoodsCanBeSold(t *testing.T) {
	goods, err := catalog.Load(root + "goods.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(goods.Products()) == 0 {
		t.Error("goods.yaml sells nothing")
	}
}
