package cost

// Assumption is a figure that is not counted.
type Assumption struct {
	Name  string
	Value float64
	Why   string
}

const (
	hoursOfMonth    = 730
	minutesOfMonth  = hoursOfMonth * 60
	coldMS          = 80 // of a start, which Lambda bills
	coldShare       = 0.01
	openingShare    = 0.1 // of the calls to WeChat, which open a connection
	lateShare       = 0.1 // of the paid orders, which are paid after their first look
	environments    = 20  // that are warm all month
	secretsMinutes  = 15  // that secrets are kept: secretsTTL of internal/awsenv
	queuePollers    = 5   // that Lambda starts for a queue
	pollsOfMinute   = 3   // of each: a poll waits 20 s
	bytesOfGB       = 1 << 30
	requirementUSD  = 13
	millionOrders   = 1_000_000
	lookMS          = 300 // of a call to WeChat and the writes around it
	moreMS          = 15  // of processor time for each further message of a batch, which are looked at side by side
	smallMS         = 10  // that half the memory, and so half the processor, adds
	writeMS, readMS = 40, 10
)

// durations is how long an invocation of each function takes. On a machine that is not AWS's a measured one would say nothing.
var durations = map[string]float64{
	"login": lookMS + smallMS, "createorder": writeMS, "callback": writeMS, "orders": readMS, "reconcile": lookMS, "refund": lookMS, "sweep": writeMS,
}

// billedMS is what Lambda bills for an invocation of a function: its duration, and its share of a cold start.
func billedMS(function string) float64 { return durations[function] + coldShare*coldMS }

// Assumptions lists what the bill rests on beside the counts and the prices.
// Besides, the orders are taken for those of one month, evenly spread: the looks that are due in one minute are sent, received and
// looked at together, as many as a batch takes.
func Assumptions() []Assumption {
	return []Assumption{
		{"ms of an invocation that calls WeChat", lookMS, "login, reconcile: a call over the internet and the writes around it"},
		{"ms that 128 MB add to a login", smallMS, "half the processor of 256 MB, for the few milliseconds that do not wait"},
		{"ms of an invocation that writes", writeMS, "createorder, callback, sweep: two to four round trips to DynamoDB"},
		{"ms of an invocation that reads", readMS, "orders: two reads"},
		{"share of cold starts", coldShare, "AWS says of production traffic: typically under 1 %. Each start reads its secrets"},
		{"ms billed for a cold start", coldMS, "published benchmarks of Go on provided.al2023, and the loading of certificates"},
		{"share of calls to WeChat that open a connection", openingShare, "with steady traffic: a connection is kept for 60 s, and a million logins a month come every 3 s"},
		{"share of paid orders that are paid after a minute", lateShare, "nobody has measured it: a cashier that is open takes seconds. Those who leave and come back are looked at once more"},
		{"warm environments", environments, "each reads its secrets again when they are 15 minutes old"},
		{"ms for each further message of a batch", moreMS, "they are looked at side by side, so only the processor's time adds up"},
		{"polls of an idle queue a minute", queuePollers * pollsOfMinute, "five pollers, each waits 20 s"},
		{"hours of a month", hoursOfMonth, ""},
	}
}
