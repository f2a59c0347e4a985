package awsenv

import "github.com/xpay-serverless/xpay-serverless/internal/backend"

// Function is what one Lambda is given; template.yaml gives it this and no more.
type Function struct {
	Name     string         // its folder under functions/
	Groups   backend.Groups // the secrets it reads
	Orders   bool           // reads the table of orders; the expiring one is read by all
	Sends    bool           // puts messages on the queue
	Delivers bool           // tells the delivery target
	Sells    bool           // needs the catalogue: a slip in goods.yaml stops sales, and nothing else
	Adopts   bool           // reads the catalogue if it can: after a slip in goods.yaml no order is adopted
}

// serves reports whether the function knows the backend at all: the sweep only moves ids from the tables to the queue.
func (f Function) serves() bool { return f.Groups != 0 }

const merchantAndSeal = backend.GroupMerchant | backend.GroupSeal

// Functions is every Lambda of this backend. The callback, which faces the internet, holds least.
func Functions() []Function {
	return []Function{
		{Name: "createorder", Groups: merchantAndSeal, Orders: true, Sells: true},
		{Name: "callback", Groups: backend.GroupPush, Orders: true, Sends: true},
		{Name: "refund", Groups: merchantAndSeal, Orders: true, Sends: true, Adopts: true},
		{Name: "orders", Groups: merchantAndSeal, Orders: true, Sends: true, Sells: true},
		{Name: "login", Groups: merchantAndSeal},
		{Name: "reconcile", Groups: merchantAndSeal | backend.GroupDelivery, Orders: true, Delivers: true},
		{Name: "sweep", Orders: true, Sends: true},
	}
}

func functionNamed(name string) (Function, bool) {
	for _, f := range Functions() {
		if f.Name == name {
			return f, true
		}
	}
	return Function{}, false
}
