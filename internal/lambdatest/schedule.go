package lambdatest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"
)

// ScheduledEvent is what EventBridge Scheduler sends to a function when its schedule has no input of its own.
func ScheduledEvent(schedule, region string, at time.Time) []byte {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	raw, _ := json.Marshal(map[string]any{
		"version": "0", "id": fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]),
		"detail-type": "Scheduled Event", "source": "aws.scheduler", "account": accountID, "time": at.UTC().Format(time.RFC3339),
		"region": region, "resources": []string{fmt.Sprintf("arn:aws:scheduler:%s:%s:schedule/default/%s", region, accountID, schedule)},
		"detail": "{}",
	}) // strings always marshal
	return raw
}
