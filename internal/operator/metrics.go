package operator

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// filteredNamespace is where template.yaml's metric filters count, one namespace for each stack.
const filteredNamespace = "XpayServerless/"

// Counted adds up what a metric filter of the stack counted in the day before now. A metric that never counted is 0.
func (s *Stack) Counted(ctx context.Context, metric string, now time.Time) (int, error) {
	const day = 24 * time.Hour
	out, err := cloudwatch.NewFromConfig(s.cfg).GetMetricStatistics(ctx, &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String(filteredNamespace + s.Name), MetricName: &metric, Statistics: []types.Statistic{types.StatisticSum},
		StartTime: aws.Time(now.Add(-day)), EndTime: &now, Period: aws.Int32(int32(time.Hour.Seconds())),
	})
	if err != nil {
		return 0, answered(fmt.Errorf("the metric %s of %s cannot be read: %w", metric, s.Name, err))
	}
	sum := 0.0
	for _, p := range out.Datapoints {
		sum += aws.ToFloat64(p.Sum)
	}
	return int(sum), nil
}
