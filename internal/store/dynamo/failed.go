package dynamo

import (
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
)

// errUnread is the failure of a list whose documents DynamoDB would not read.
var errUnread = errors.New("DynamoDB left documents unread in every round, because it throttles; repeat it later")

const (
	credentials = "AWS does not accept the credentials; give the function its role, or renew the credentials in AWS_*"
	throttled   = "DynamoDB throttles; repeat it later, and look at the table's limits if this lasts"
	shape       = "the table is not as the stack makes it, or is still being changed; deploy the stack"
)

// reasons says what a person can do about the errors that AWS names.
var reasons = map[string]string{
	"ResourceNotFoundException": "the table does not exist there; deploy the stack, or correct XPAY_ORDERS_TABLE, " +
		"XPAY_EXPIRING_TABLE or AWS_REGION",
	"ValidationException":                    shape,
	"AccessDeniedException":                  "the role may not do this; deploy the stack, which grants it",
	"ExpiredTokenException":                  credentials,
	"UnrecognizedClientException":            credentials,
	"InvalidSignatureException":              credentials,
	"MissingAuthenticationTokenException":    credentials,
	"MissingAuthenticationToken":             credentials,
	"IncompleteSignatureException":           credentials,
	"ProvisionedThroughputExceededException": throttled,
	"ThrottlingException":                    throttled,
	"RequestLimitExceeded":                   throttled,
	"TransactionConflictException":           "a transaction of another program is changing it; repeat it",
	"InternalServerError":                    "DynamoDB failed; repeat it",
}

// failed completes an error whose outcome is unknown: what failed, where, and what to do. It names no document: an
// id may hold an openid.
func (s *Store) failed(what, table string, err error) error {
	reason := ""
	var api smithy.APIError
	if errors.As(err, &api) && reasons[api.ErrorCode()] != "" {
		reason = reasons[api.ErrorCode()] + ": "
	}
	return fmt.Errorf("dynamo: cannot %s in table %s (%s): %s%w", what, table, s.client.Options().Region, reason, err)
}
