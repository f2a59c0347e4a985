package cost

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Prices is a table of prices of one region at one date, in its currency.
type Prices struct {
	Region   string `json:"region"`
	Currency string `json:"currency"`
	Dated    string `json:"dated"`
	Source   string `json:"source"`

	APIMillionRequests      float64 `json:"apiMillionRequests"`
	LambdaMillionRequests   float64 `json:"lambdaMillionRequests"`
	LambdaGBSecond          float64 `json:"lambdaGBSecond"`
	DynamoMillionWriteUnits float64 `json:"dynamoMillionWriteUnits"`
	DynamoMillionReadUnits  float64 `json:"dynamoMillionReadUnits"`
	DynamoGBMonth           float64 `json:"dynamoGBMonth"`
	DynamoRecoveryGBMonth   float64 `json:"dynamoRecoveryGBMonth"`
	SQSMillionRequests      float64 `json:"sqsMillionRequests"`
	LogsGB                  float64 `json:"logsGB"`
	TransferOutGB           float64 `json:"transferOutGB"`
	SchedulerMillionTicks   float64 `json:"schedulerMillionTicks"`
	SecretMonth             float64 `json:"secretMonth"`
	SecretTenThousandCalls  float64 `json:"secretTenThousandCalls"`
	AlarmMonth              float64 `json:"alarmMonth"`
	MetricMonth             float64 `json:"metricMonth"`
	DashboardMonth          float64 `json:"dashboardMonth"`
}

//go:embed prices.json
var pricesJSON []byte

// ListPrices returns the table that comes with this release: us-east-1.
func ListPrices() (Prices, error) { return ReadPrices(pricesJSON) }

// ReadPrices reads a table. Every price must be there, a free one as 0: a price that was left out would make the bill small.
func ReadPrices(raw []byte) (Prices, error) {
	var p Prices
	if err := strictly(raw, &p); err != nil {
		return p, fmt.Errorf("the table of prices: %w", err)
	}
	var given map[string]any
	if err := json.Unmarshal(raw, &given); err != nil {
		return p, fmt.Errorf("the table of prices: %w", err)
	}
	var wrong []string
	for name, want := range wanted() {
		switch got := given[name].(type) {
		case string:
			if got == "" {
				wrong = append(wrong, name+" is empty")
			}
		case float64:
			if got < 0 {
				wrong = append(wrong, name+" is below 0")
			}
		default:
			wrong = append(wrong, fmt.Sprintf("%s is missing, it is a %s", name, want))
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return p, fmt.Errorf("the table of prices: %s", strings.Join(wrong, "; "))
	}
	return p, nil
}

// wanted names every field of a table and its type.
func wanted() map[string]string {
	raw, _ := json.Marshal(Prices{}) // strings and numbers always marshal
	var fields map[string]any
	_ = json.Unmarshal(raw, &fields)
	types := map[string]string{}
	for name, v := range fields {
		types[name] = "number"
		if _, ok := v.(string); ok {
			types[name] = "text"
		}
	}
	return types
}

// String is the table as it is read.
func (p Prices) String() string {
	raw, _ := json.MarshalIndent(p, "", "  ") // strings and numbers always marshal
	return string(raw)
}
