package order

import (
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// The ids were computed with Python: base64.b32encode(sha256(for each part: 8-byte big-endian length, UTF-8)[:16]),
// lower case, without "=".
func TestAnIDIsWhatAnotherProgramComputes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		app    string
		env    xpay.Env
		openID string
		key    string
		want   string
	}{
		{"wx0123456789abcdef", xpay.Sandbox, "oUser-1", "key-00000001", "7p3iymnhnu63cjxre3rykwovsm"},
		{"wx0123456789abcdef", xpay.Production, "oUser-1", "key-00000001", "jysxadpee3eyxu7xoiqdrpe25q"},
		{"", xpay.Production, "", "", "df2nsc547euf7a6ly7vxo7l5jy"},
		{"wx微信", xpay.Sandbox, "o用户", "键-0000001", "gez7eady2xaat5bvz66um5vop4"},
	} {
		if got := NewID(c.app, c.env, c.openID, c.key); got != c.want {
			t.Errorf("NewID(%q, %d, %q, %q) = %s, want %s", c.app, c.env, c.openID, c.key, got, c.want)
		}
	}
	for attempt, want := range map[int]string{1: "rh7yexw7n33pjbhvklupjog3inu", 2: "rt33ndxiymqzhr6gqnxtmxpm57q"} {
		if got := NewRefundID(testID, attempt, "refund-key-1"); got != want {
			t.Errorf("refund number of attempt %d = %s, want %s", attempt, got, want)
		}
	}
}

func TestNoTwoRequestsShareAnID(t *testing.T) {
	t.Parallel()
	seen := map[string][]string{}
	parts := []string{"", "a", "b", "aa", "ab", "a\x00", "1", "11"}
	for _, app := range parts {
		for _, env := range []xpay.Env{xpay.Production, xpay.Sandbox} {
			for _, user := range parts {
				for _, key := range parts {
					id := NewID(app, env, user, key)
					if other, there := seen[id]; there {
						t.Fatalf("%v and %v give %s", other, []string{app, user, key}, id)
					}
					seen[id] = []string{app, user, key}
				}
			}
		}
	}
	if NewRefundID(testID, 1, "k") == "r"+digest("refund", testID, "1", "") {
		t.Error("the key is not part of the refund number")
	}
}

func TestANumberIsTakenApartAndPutTogether(t *testing.T) {
	t.Parallel()
	for n := 1; n <= AttemptsMax; n++ {
		number := OutTradeNo(testID, n)
		want := Number{OrderID: testID, Attempt: n}
		if got, ok := ParseNumber(number); !ok || got != want {
			t.Errorf("ParseNumber(%q) = %+v, %v", number, got, ok)
		}
		if err := xpay.ValidOutTradeNo(number); err != nil {
			t.Errorf("WeChat refuses %q: %v", number, err)
		}
	}
	if got, ok := ParseNumber("rh7yexw7n33pjbhvklupjog3inu"); !ok || got != (Number{Refund: true}) {
		t.Errorf("a refund number is read as %+v, %v", got, ok)
	}
}

func TestANumberThatWeCouldNotHaveMadeIsRefused(t *testing.T) {
	t.Parallel()
	for name, number := range map[string]string{
		"nothing":                               "",
		"one character less":                    testID[:25],
		"one character more":                    testID + "a",
		"upper case":                            strings.ToUpper(testID),
		"one upper-case letter":                 "P" + testID[1:],
		"a digit outside the alphabet":          "1" + testID[1:],
		"unused bits of the last character set": testID[:25] + "n",
		"padding":                               testID[:24] + "==",
		"a line feed inside":                    testID[:25] + "\n",
		"attempt 0":                             testID + "-0",
		"attempt 1, which has no suffix":        testID + "-1",
		"attempt 10":                            testID + "-10",
		"attempt colon, the byte after 9":       testID + "-:",
		"attempt slash, the byte before 0":      testID + "-/",
		"another separator":                     testID + "_2",
		"a suffix without a number":             testID + "-",
		"two suffixes":                          testID + "-2-2",
		"a refund number with a suffix":         "r" + testID + "-2",
		"a refund number in upper case":         "R" + testID,
		"another prefix":                        "s" + testID,
		"a refund number with unused bits set":  "r" + testID[:25] + "n",
		"a number of somebody else's":           "ORDER20260801001",
		"full-width digits of the same length":  strings.Repeat("２", 8) + "ab",
		"spaces around":                         " " + testID[:24] + " ",
	} {
		if n, ok := ParseNumber(number); ok {
			t.Errorf("%s: %q is read as %+v", name, number, n)
		}
	}
	for _, id := range []string{testID + "-2", "r" + testID, "", "x"} {
		if ValidID(id) {
			t.Errorf("%q counts as an order id", id)
		}
	}
}

func FuzzParseNumber(f *testing.F) {
	for _, seed := range []string{
		testID, testID + "-2", testID + "-9", testID + "-1", testID + "-10", "r" + testID, strings.ToUpper(testID),
		testID[:25] + "n", "", "-", strings.Repeat("a", 26), strings.Repeat("7", 26), strings.Repeat("a", 28), "ORDER20260801001",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := ParseNumber(s)
		switch {
		case !ok:
		case n.Refund:
			if len(s) != 27 || s[0] != 'r' || n.OrderID != "" || n.Attempt != 0 {
				t.Errorf("%q is read as %+v", s, n)
			}
		case OutTradeNo(n.OrderID, n.Attempt) != s:
			t.Errorf("%q is read as %+v, which is written %q", s, n, OutTradeNo(n.OrderID, n.Attempt))
		case n.Attempt < 1 || n.Attempt > 9 || !ValidID(n.OrderID):
			t.Errorf("%q is read as %+v", s, n)
		}
		if ok && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567-89") != "" {
			t.Errorf("%q has characters that no number of ours has", s)
		}
	})
}
