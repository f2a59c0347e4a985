package xpay

import (
	"fmt"
	"slices"
	"strings"
)

// CodeInfo is one row of the catalogue of error codes. The texts are one sentence each, in English and Chinese.
type CodeInfo struct {
	Code               int
	Class              Class  // what a program does
	Who                Who    // which person has to act, if any
	Says               string // WeChat's own words, where they are known; "; " stands between two variants
	Meaning, MeaningZH string // what the code says
	Cause, CauseZH     string // what most often led to it
	Advice, AdviceZH   string // what to do
}

// Who must act for an error to go away.
type Who int

const (
	WhoNobody    Who = iota // the program goes on, or repeats by itself
	WhoDeveloper            // the code or the request is wrong
	WhoOperator             // something in WeChat's consoles, the configuration or the account
	WhoUser                 // the person with the phone
	WhoWeChat               // WeChat's side; write to its support with the rid if it stays
)

func (w Who) String() string {
	switch w {
	case WhoNobody:
		return "nobody"
	case WhoDeveloper:
		return "developer"
	case WhoOperator:
		return "operator"
	case WhoUser:
		return "user"
	case WhoWeChat:
		return "wechat"
	}
	return fmt.Sprintf("who(%d)", int(w))
}

// CodeWrongSignature is WeChat's answer to a pay_sig or signature that does not fit: a wrong or rotated AppKey, most often.
const CodeWrongSignature = 268490003

// ClientCodeWrongPaySig is what wx.requestVirtualPayment fails with when paySig does not fit.
const ClientCodeWrongPaySig = -15006

// Lookup finds a server code of spec 6. Where a code stands in two of its tables (-1) they mean the same.
func Lookup(code int) (CodeInfo, bool) {
	for _, table := range serverTables {
		if info, ok := find(table, code); ok {
			return info, true
		}
	}
	return CodeInfo{}, false
}

// LookupClient finds an errCode of wx.requestVirtualPayment or wx.requestAppleSubscribeSign (spec 2.3). The same numbers
// mean other things in mini-games, and -1 means another thing on the server: Lookup does not search these.
func LookupClient(code int) (CodeInfo, bool) { return find(clientCodes[:], code) }

// LookupText finds an error that WeChat tells in words only, in whatever stands around the words: an errmsg of the server
// or an errMsg of the phone. The row has Code 0. It is for people who look for help; a program decides by codes.
func LookupText(message string) (CodeInfo, bool) {
	for _, row := range textErrors {
		for piece := range strings.SplitSeq(row.Says, "; ") {
			if strings.Contains(strings.ToLower(message), strings.ToLower(piece)) {
				return row, true
			}
		}
	}
	return CodeInfo{}, false
}

// Codes is a copy of the catalogue of server codes, in the order of spec 6.1, 6.2, 6.3.
func Codes() []CodeInfo { return slices.Concat(serverTables[:]...) }

// ClientCodes is a copy of the catalogue of what the phone's calls fail with, in the order of spec 2.3.
func ClientCodes() []CodeInfo { return slices.Clone(clientCodes[:]) }

// TextErrors is a copy of the catalogue of errors without a code of their own.
func TextErrors() []CodeInfo { return slices.Clone(textErrors[:]) }

var serverTables = [...][]CodeInfo{xpayCodes[:], subscribeCodes[:], platformCodes[:]}

func find(rows []CodeInfo, code int) (CodeInfo, bool) {
	for _, row := range rows {
		if row.Code == code {
			return row, true
		}
	}
	return CodeInfo{}, false
}
