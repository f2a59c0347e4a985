package order

// State is where an order stands. Each comment says how it gets there, what moves it on, and what a crash leaves.
type State string

const (
	// Created: stored and signed, not known to be paid. Left by money (paid, held) or by time (closed).
	// A crash before the answer leaves an order that the same Idempotency-Key finds again.
	Created State = "created"
	// Paid: the money is believed. With no delivery target the same write goes on to delivered; with one the
	// order is due at once. A full refund promised before delivery keeps it here.
	Paid State = "paid"
	// Delivering: the intent to deliver is stored, the target is being told. A crash leaves it due: the target
	// hears the same event again, with the same number.
	Delivering State = "delivering"
	// Delivered: the target (or the order itself) has it. Final but for refunds and for telling WeChat.
	Delivered State = "delivered"
	// Closed: our opinion that nobody will pay. WeChat has no close call, so money reopens it at any age.
	Closed State = "closed"
	// Held: money arrived that we do not believe. Counted, not delivered; only a person lets it go.
	Held State = "held"
)

// States lists every state, in the order of an order's life.
func States() []State { return []State{Created, Paid, Delivering, Delivered, Closed, Held} }

// Event is a fact after it was judged against the order: what it means here.
type Event string

const (
	EventSigned       Event = "signed"        // a number was handed out, or handed out again
	EventAdopted      Event = "adopted"       // an operator had the order rebuilt from kept evidence, or told of a number in it
	EventHint         Event = "hint"          // somebody who proves nothing says there is news: look
	EventUnpaid       Event = "unpaid"        // WeChat does not know the number, or it is not paid
	EventExpired      Event = "expired"       // unpaid on every number, at or after expiresAt
	EventWithdrawn    Event = "withdrawn"     // the catalogue no longer sells at the frozen price
	EventPaid         Event = "paid"          // the first payment that we believe
	EventSurplus      Event = "surplus"       // a payment beyond the one that pays for the order
	EventMismatch     Event = "mismatch"      // a payment whose fields are not the order's
	EventKnown        Event = "known"         // nothing that we did not know; details may be completed
	EventAccepted     Event = "accepted"      // a person accepts held money
	EventDelivering   Event = "delivering"    // the intent to deliver
	EventDelivered    Event = "delivered"     // the target accepted the delivery
	EventTold         Event = "told"          // WeChat was told that it is delivered
	EventSent         Event = "sent"          // the target accepted a later event
	EventReserved     Event = "reserved"      // the intent to refund
	EventRefunding    Event = "refunding"     // a refund moved without ending
	EventRefunded     Event = "refunded"      // money went back
	EventEmptied      Event = "emptied"       // the last of held money went back
	EventRefundFailed Event = "refund_failed" // a refund ended without moving money
	EventConsumed     Event = "consumed"      // the user used a consumable
	EventImpossible   Event = "impossible"    // cannot be: evidence is kept, a person is called
)

// Events lists every event.
func Events() []Event {
	return []Event{
		EventSigned, EventAdopted, EventHint, EventUnpaid, EventExpired, EventWithdrawn, EventPaid, EventSurplus, EventMismatch,
		EventKnown, EventAccepted, EventDelivering, EventDelivered, EventTold, EventSent, EventReserved,
		EventRefunding, EventRefunded, EventEmptied, EventRefundFailed, EventConsumed, EventImpossible,
	}
}

// never marks what cannot follow: the fact is kept as evidence, a person is called, the order stays as it is.
const never State = ""

// table says which state follows when an event meets an order. It is complete: a test walks it.
//
//nolint:gochecknoglobals // a table
var table = map[Event]map[State]State{
	EventSigned:       {Created: Created, Paid: never, Delivering: never, Delivered: never, Closed: never, Held: never},
	EventAdopted:      {Created: Created, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: Closed, Held: Held},
	EventHint:         {Created: Created, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: Closed, Held: Held},
	EventUnpaid:       {Created: Created, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: Closed, Held: Held},
	EventExpired:      {Created: Closed, Paid: never, Delivering: never, Delivered: never, Closed: never, Held: never},
	EventWithdrawn:    {Created: Closed, Paid: never, Delivering: never, Delivered: never, Closed: Closed, Held: never},
	EventPaid:         {Created: Paid, Paid: never, Delivering: never, Delivered: never, Closed: Paid, Held: Held},
	EventSurplus:      {Created: never, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: Held, Held: Held},
	EventMismatch:     {Created: Held, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: Held, Held: Held},
	EventKnown:        {Created: Created, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: Closed, Held: Held},
	EventAccepted:     {Created: never, Paid: never, Delivering: never, Delivered: never, Closed: never, Held: Paid},
	EventDelivering:   {Created: never, Paid: Delivering, Delivering: Delivering, Delivered: never, Closed: never, Held: never},
	EventDelivered:    {Created: never, Paid: never, Delivering: Delivered, Delivered: Delivered, Closed: never, Held: never},
	EventTold:         {Created: never, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: never, Held: never},
	EventSent:         {Created: never, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: Closed, Held: Held},
	EventReserved:     {Created: never, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: never, Held: Held},
	EventRefunding:    {Created: Created, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: Closed, Held: Held},
	EventRefunded:     {Created: Created, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: Closed, Held: Held},
	EventEmptied:      {Created: never, Paid: never, Delivering: never, Delivered: never, Closed: never, Held: Closed},
	EventRefundFailed: {Created: Created, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: Closed, Held: Held},
	EventConsumed:     {Created: never, Paid: never, Delivering: never, Delivered: Delivered, Closed: never, Held: never},
	EventImpossible:   {Created: Created, Paid: Paid, Delivering: Delivering, Delivered: Delivered, Closed: Closed, Held: Held},
}

// Next returns the state that follows, and false for what cannot happen.
func Next(from State, event Event) (State, bool) {
	to := table[event][from]
	return to, to != never
}
