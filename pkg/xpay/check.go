package xpay

import (
	"fmt"
	"unicode/utf8"
)

// The checks return one sentence that names the field as WeChat does and says what to do. Validations join them with
// cmp.Or, so that the first one speaks.

func checkText(field, value, advice string) error {
	if value == "" {
		return fmt.Errorf("%s is empty: %s", field, advice)
	}
	return checkUTF8(field, value)
}

func checkUTF8(field, value string) error {
	if !utf8.ValidString(value) {
		return fmt.Errorf("%s is not UTF-8", field)
	}
	return nil
}

func checkRunes(field, value string, runesMax int) error {
	if !utf8.ValidString(value) || utf8.RuneCountInString(value) > runesMax {
		return fmt.Errorf("%s must be UTF-8 of at most %d characters", field, runesMax)
	}
	return nil
}

func checkPositive(field string, n int64, unit string) error {
	if n <= 0 || n > wholeMax {
		return fmt.Errorf("%s is %d %s: it must be above 0", field, n, unit)
	}
	return nil
}

func checkOpenID(openID string) error {
	return checkText("openid", openID, "name the user as code2Session did")
}
