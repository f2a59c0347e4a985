package wechatsim

import (
	"regexp"
	"unicode/utf8"
)

// outTradeNoForm: 8 to 32 of the published set, no leading underscore (spec 2.2).
var outTradeNoForm = regexp.MustCompile(`^[0-9A-Za-z|*@-][0-9A-Za-z_|*@-]{7,31}$`)

// signData is the order as the phone describes it, types checked, rules not yet.
type signData struct {
	offerID, currency, product, outTradeNo, attach string
	env                                            int
	quantity, price, actual                        int64
	discounted                                     bool
}

// signDataField is one row of the table of spec 2.2.
type signDataField struct {
	name     string
	number   bool
	required bool
	goods    bool // read in goods mode only; coin mode ignores it
}

func signDataFields() []signDataField {
	return []signDataField{
		{name: "offerId", required: true},
		{name: "buyQuantity", number: true, required: true},
		{name: "env", number: true},
		{name: "currencyType", required: true},
		{name: "productId", required: true, goods: true},
		{name: "goodsPrice", number: true, required: true, goods: true},
		{name: "activitySellingPrice", number: true, goods: true},
		{name: "outTradeNo", required: true},
		{name: "attach", required: true},
	}
}

// parseSignData answers -15016 for text that is no JSON object or has a wrong type ("1" is not 1), and -15001 for a
// missing field. Fields outside the table, such as platform, are ignored.
func parseSignData(text, mode string) (signData, PaymentResult) {
	if len(text) > signDataBytesMax || !utf8.ValidString(text) {
		return signData{}, failed(-15016, "signData is too long or not UTF-8")
	}
	f, err := parseFields([]byte(text))
	if err != nil {
		return signData{}, failed(-15016, "signData is not a JSON object")
	}
	for _, row := range signDataFields() {
		if bad := row.check(f, mode); bad.ErrCode != 0 {
			return signData{}, bad
		}
	}
	d := f.signData(mode)
	if d.env != 0 && d.env != 1 {
		return d, failed(-15001, "env is neither 0 nor 1")
	}
	return d, PaymentResult{}
}

func (row signDataField) check(f fields, mode string) PaymentResult {
	if row.goods && mode != modeGoods {
		return PaymentResult{}
	}
	if !f.has(row.name) {
		if row.required {
			return failed(-15001, "signData has no %s", row.name)
		}
		return PaymentResult{}
	}
	ok, kind := false, "string"
	if row.number {
		_, ok = f.whole(row.name)
		kind = "whole number"
	} else {
		_, ok = f.text(row.name)
	}
	if !ok {
		return failed(-15016, "signData.%s is not a %s", row.name, kind)
	}
	return PaymentResult{}
}

func (f fields) signData(mode string) signData {
	var d signData
	d.offerID, _ = f.text("offerId")
	d.currency, _ = f.text("currencyType")
	d.outTradeNo, _ = f.text("outTradeNo")
	d.attach, _ = f.text("attach")
	d.quantity, _ = f.whole("buyQuantity")
	env, _ := f.whole("env")
	if d.env = int(env); int64(d.env) != env {
		d.env = -1
	}
	if mode == modeGoods {
		d.product, _ = f.text("productId")
		d.price, _ = f.whole("goodsPrice")
		d.actual, d.discounted = f.whole("activitySellingPrice")
	}
	return d
}
