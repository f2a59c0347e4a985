package goodsplan

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

var (
	number     = regexp.MustCompile(`\d[\d,]*(?:\.\d+)?`)
	yuanBefore = regexp.MustCompile(`(?:¥|(?:^|[^\d\s])\s*(?:rmb|cny))\s*$`)
	yuanAfter  = regexp.MustCompile(`^\s*(?:元(?:[^宝]|$)|块|yuan|(?:¥|rmb|cny)\s*(?:[^\d\s]|$))`) // 元宝 is a coin of games
)

// namesYuan reports whether the product's own words give its number of fen as yuan.
func namesYuan(p catalog.Product) bool {
	words := halfWidth(p.Name + "; " + p.Remark)
	// A comma of Chinese text stands between two numbers or within one: both are looked at.
	return saysYuan(strings.ReplaceAll(words, "，", ","), p.Price) || saysYuan(words, p.Price)
}

// saysYuan compares every number next to ¥, RMB, CNY, 元, 块 or yuan with a price: in fen, it must not be a hundred times it.
func saysYuan(words string, price xpay.Fen) bool {
	for _, at := range number.FindAllStringIndex(words, -1) {
		if !yuanBefore.MatchString(words[:at[0]]) && !yuanAfter.MatchString(words[at[1]:]) {
			continue
		}
		if fen, ok := fenOf(words[at[0]:at[1]]); ok && fen == price*yuan {
			return true
		}
	}
	return false
}

// fenOf reads a number of yuan: 1,198 or 18.50. It is not ok with more than two decimals, or beyond any price.
func fenOf(text string) (fen xpay.Fen, ok bool) {
	whole, decimals, _ := strings.Cut(strings.ReplaceAll(text, ",", ""), ".")
	decimals = (strings.TrimRight(decimals, "0") + "00")[:max(2, len(strings.TrimRight(decimals, "0")))]
	n, err := strconv.ParseInt(whole+decimals, 10, 64)
	return xpay.Fen(n), err == nil && len(decimals) == 2
}

// halfWidth writes full-width digits, letters and signs, except the comma, as ASCII has them, and letters small.
func halfWidth(text string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		switch {
		case r == '￥':
			return '¥'
		case r == '\u3000', r == '\u00a0':
			return ' '
		case r >= '！' && r <= '～' && r != '，':
			return r - '！' + '!'
		}
		return r
	}, text))
}
