package xpay

import (
	"errors"
	"fmt"
	"strings"
)

const (
	numberMin    = 8  // characters of an order number, spec 2.2
	numberMax    = 32 // characters
	outTradeMark = "_-|*@"
	refundMark   = "_-"
)

// ValidOutTradeNo tells what is wrong with an order number: 8 to 32 characters, letters, digits and _ - | * @,
// not starting with _. That it was never used before only WeChat knows. Spec 2.2.
func ValidOutTradeNo(s string) error {
	if strings.HasPrefix(s, "_") {
		return errors.New("outTradeNo starts with _: begin with a letter or a digit")
	}
	return validNumber("outTradeNo", s, outTradeMark)
}

// ValidRefundOrderID tells what is wrong with a refund number: 8 to 32 letters, digits, _ and -. Spec 4.8.
func ValidRefundOrderID(s string) error {
	return validNumber("refund_order_id", s, refundMark)
}

func validNumber(field, s, marks string) error {
	if len(s) < numberMin || len(s) > numberMax {
		return fmt.Errorf("%s has %d characters: use %d to %d", field, len(s), numberMin, numberMax)
	}
	return validMarks(field, s, marks)
}

func validMarks(field, s, marks string) error {
	for i := range len(s) {
		if !alphanumeric(s[i]) && strings.IndexByte(marks, s[i]) < 0 {
			return fmt.Errorf("%s has a character that is not allowed at position %d: use letters, digits and %s",
				field, i+1, marks)
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
