package wechatsim

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// clientURI is what paySig covers in front of signData: no slash, no path (spec 3.1, vector V11).
const clientURI = "requestVirtualPayment"

// paySig is 支付签名: lower-hex HMAC-SHA256 over uri & body (spec 3.1, vector V1).
func paySig(appKey, uri string, body []byte) string {
	return hmacHex(appKey, uri+"&"+string(body))
}

// userSig is 用户态签名: the session_key is used as text, not decoded (spec 3.2, vectors V1 and V1-d).
func userSig(sessionKey string, body []byte) string {
	return hmacHex(sessionKey, string(body))
}

func hmacHex(key, message string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(message))
	return hex.EncodeToString(mac.Sum(nil))
}

// pushSig is the signature of message pushes: SHA-1 over the sorted parts (spec 3.5, vectors V5 to V9).
func pushSig(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// sameSig compares in constant time; hex in capitals is another signature.
func sameSig(got, want string) bool { return hmac.Equal([]byte(got), []byte(want)) }
