package httpapi

import (
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
)

// login: POST /login {"code"} gives {"token","expiresAt"}.
func (a *API) login(c call) (reply, error) {
	var in struct {
		Code string `json:"code"`
	}
	if err := c.decode(&in, false); err != nil {
		return reply{}, err
	}
	token, err := a.Sessions.Login(c.Context(), in.Code)
	if err != nil {
		return reply{}, err
	}
	return ok(struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expiresAt"`
	}{token.Value, token.ExpiresAt})
}

type productView struct {
	ID          string       `json:"productId"`
	Name        string       `json:"name"`
	Price       int64        `json:"price"` // fen
	Currency    string       `json:"currency"`
	Kind        catalog.Kind `json:"kind"`
	MaxQuantity int          `json:"maxQuantity"`
	Remark      string       `json:"remark,omitempty"`
}

// products: GET /products lists what is sold.
func (a *API) products(call) (reply, error) {
	views := []productView{}
	for _, p := range a.Catalog.Products() {
		views = append(views, productView{p.ID, p.Name, int64(p.Price), currency, p.Kind, p.MaxQuantity, p.Remark})
	}
	return ok(struct {
		Products []productView `json:"products"`
	}{views})
}
