package xpay

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What spec section 4 says of each of the 37 APIs: its name, the signatures of the advice column of 4.1, what env is
// in its request, and by which number a repetition is safe ("reads": it changes nothing; "no": not documented as safe).
const documentedAPIs = `
query_user_balance           both    env      reads
currency_pay                 both    env      order_id
cancel_currency_pay          both    env      no
present_currency             pay_sig env      order_id
query_order                  pay_sig env      reads
notify_provide_goods         pay_sig env      no
refund_order                 pay_sig env      no
download_bill                pay_sig none     reads
create_withdraw_order        pay_sig env      no
query_withdraw_order         pay_sig env      reads
start_upload_goods           pay_sig env      no
query_upload_goods           pay_sig env      reads
start_publish_goods          pay_sig env      no
query_publish_goods          pay_sig env      reads
query_biz_balance            pay_sig key-only reads
query_transfer_account       pay_sig key-only reads
query_adver_funds            pay_sig key-only reads
create_funds_bill            pay_sig key-only request_id
bind_transfer_accout         pay_sig key-only no
query_funds_bill             pay_sig key-only reads
query_recover_bill           pay_sig key-only reads
download_adverfunds_order    pay_sig key-only reads
get_complaint_list           pay_sig key-only reads
get_complaint_detail         pay_sig key-only reads
get_negotiation_history      pay_sig key-only reads
response_complaint           pay_sig key-only no
complete_complaint           pay_sig key-only no
upload_vp_file               pay_sig key-only no
get_upload_file_sign         pay_sig key-only reads
start_download_order         pay_sig env      no
query_download_order         pay_sig env      reads
download_ios_settlement_bill pay_sig none     reads
query_punishment_reasons     pay_sig none     reads
query_subscribe_contract     pay_sig zero     reads
send_subscribe_pre_payment   pay_sig zero     no
submit_subscribe_pay_order   pay_sig zero     no
cancel_subscribe_contract    pay_sig zero     no
`

func TestEndpointsAreThe37OfTheSpecification(t *testing.T) {
	t.Parallel()
	var got []string
	for _, e := range Endpoints() {
		got = append(got, describe(e))
		if e.Path != "/xpay/"+e.Name {
			t.Errorf("%s has the path %s", e.Name, e.Path)
		}
	}
	var want []string
	for line := range strings.Lines(strings.TrimSpace(documentedAPIs)) {
		want = append(want, strings.Join(strings.Fields(line), " "))
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 37 {
		t.Errorf("%d endpoints: %s", len(got), diff)
	}
}

func describe(e Endpoint) string {
	signatures := map[[2]bool]string{{true, true}: "both", {true, false}: "pay_sig"}[[2]bool{e.PaySig, e.UserSig}]
	env := map[EnvUse]string{EnvSelects: "env", EnvKeyOnly: "key-only", EnvAbsent: "none", EnvProduction: "zero"}[e.Env]
	repeat := "no"
	if e.Repeatable && e.Number == "" {
		repeat = "reads"
	} else if e.Repeatable {
		repeat = e.Number
	}
	return fmt.Sprintf("%s %s %s %s", e.Name, signatures, env, repeat)
}

func TestOnlySomeEndpointsKnowADoneCodeOrAnEmptyAnswer(t *testing.T) {
	t.Parallel()
	var done, empty []string
	for _, e := range Endpoints() {
		if slices.Equal(e.Done, []int{268490004}) {
			done = append(done, e.Name)
		} else if len(e.Done) > 0 {
			t.Errorf("%s: %v", e.Name, e.Done)
		}
		if e.EmptyAnswer {
			empty = append(empty, e.Name)
		}
	}
	if diff := cmp.Diff([]string{"currency_pay", "present_currency", "notify_provide_goods", "create_funds_bill"}, done); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"notify_provide_goods"}, empty); diff != "" {
		t.Error(diff)
	}
}

func TestEndpointsAreCopies(t *testing.T) {
	t.Parallel()
	rows := Endpoints()
	rows[1].Done[0], rows[6].Limits[0], rows[0].Name = 1, "changed", "changed"
	again := Endpoints()
	if again[1].Done[0] != 268490004 || again[6].Limits[0] == "changed" || again[0].Name != "query_user_balance" {
		t.Errorf("%+v", again[:7])
	}
}
