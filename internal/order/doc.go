// Package order is the core: what an order is, what may happen to it, and who may make it happen.
//
// # The way of an order
//
//	Service.Create      freezes the price, stores the order, hands out a signed payment
//	Service.Record      takes in what somebody told us: a push of WeChat, a query, an operator
//	Service.Advance     does the next thing for one order; anybody may call it, any number of times
//	Service.Refund      stores the intent to refund; Advance carries it out
//
// Everything that is ever told about an order is a Fact with a Source. Apply(order, fact) is pure and the only
// place where an order changes; what may follow what is one table (table.go), printed in docs/state-machine.md.
//
// # Rules that protect the money
//
//   - Record, then act. An effect on WeChat (a refund, a delivery notice) has its intent in the store first, with
//     every parameter. Whoever finds the intent can finish it.
//   - The claim is the only licence to call out: a compare-and-swap on the order that sets a lease. Who loses it
//     returns. A crash leaves the lease, and the due time makes somebody come back after it.
//   - Unknown is not "no". A call that was not answered is looked up before it is repeated, and repeated with
//     the same bytes.
//   - A message that must arrive does not exist: DueAt says when somebody must look again, and the sweep finds it.
//   - Money that we do not believe is held, never dropped; only a person lets it go.
//
// Amounts are fen (xpay.Fen), times are UTC in milliseconds.
package order
