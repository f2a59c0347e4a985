package xpay

import (
	"context"
	"encoding/json"
)

// Punishment says what WeChat has limited for this merchant and how to recover. With nothing limited the lists are
// empty (spec 4.16).
type Punishment struct {
	AppID, Nickname, MerchantCode string
	LimitedFunctions              []string
	OtherLimitedFunctions         string
	Recoveries                    []Recovery
	Raw                           json.RawMessage
}

// Recovery is how one limitation ends.
type Recovery struct {
	LimitationCaseID         string // the BusinessCode of a RiskNotice
	LimitationReasonType     string
	LimitationReason         string
	LimitationReasonDescribe string
	RelateLimitations        []string // CONFLICT in spec 4.16: text in the table, a list in the example; both are read, "" is none
	OtherRelateLimitations   string
	RecoverWay               string
	RecoverWayParam          string
	RecoverHelpURL           string
	LimitationActionType     string
	LimitationStartDate      string
	LimitationDate           string
}

// QueryPunishmentReasons asks why functions are limited. There is no env in the request: the AppKey decides. Spec 4.16,
// vector C5f.
func (c *Client) QueryPunishmentReasons(ctx context.Context) (Punishment, error) {
	return ask(ctx, c, queryPunishmentReasons, request{body: struct{}{}}, func(f *fields, a answer) Punishment {
		return Punishment{
			AppID: f.text("appid"), Nickname: f.text("nickname"), MerchantCode: f.text("merchant_code"),
			LimitedFunctions: f.texts("limited_functions"), OtherLimitedFunctions: f.text("other_limited_functions"),
			Recoveries: list(f, "recovery_specifications", readRecovery), Raw: a.raw,
		}
	})
}

func readRecovery(f *fields) Recovery {
	return Recovery{
		LimitationCaseID: f.text("limitation_case_id"), LimitationReasonType: f.text("limitation_reason_type"),
		LimitationReason: f.text("limitation_reason"), LimitationReasonDescribe: f.text("limitation_reason_describe"),
		RelateLimitations: f.texts("relate_limitations"), OtherRelateLimitations: f.text("other_relate_limitations"),
		RecoverWay: f.text("recover_way"), RecoverWayParam: f.text("recover_way_param"),
		RecoverHelpURL: f.text("recover_help_url"), LimitationActionType: f.text("limitation_action_type"),
		LimitationStartDate: f.text("limitation_start_date"), LimitationDate: f.text("limitation_date"),
	}
}
