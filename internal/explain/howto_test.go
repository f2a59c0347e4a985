package explain

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTheHowToHasEveryRowOfTheSpec: the rows are those of spec 9.1, typed from there with what is seen and a word of the
// cause; GBK is ours.
func TestTheHowToHasEveryRowOfTheSpec(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/how-to/signature-errors.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(raw)) {
		cells := strings.Split(strings.ReplaceAll(strings.TrimSpace(line), `\|`, "/"), " | ")
		if id := strings.TrimPrefix(cells[0], "| "); len(cells) == 4 {
			found[id] = append([]string(nil), cells[1:]...)
		}
	}
	for _, row := range []struct{ id, symptom, cause string }{
		{"1", "-15006", "/xpay/requestVirtualPayment"},
		{"2", "268490003", "access_token"},
		{"3", "268490003, -15005", "serialized twice"},
		{"4", "-15005", "stringified again"},
		{"5", "-15006, -15005", "u003c"},
		{"6", "-15005", "base64-decoded"},
		{"7", "-15005", "wx.login"},
		{"8", "-15006, 268490003", "12345"},
		{"9", "-15006", "MD5"},
		{"10", "-15005", "swapped"},
		{"11", "1001", "only paySig"},
		{"12", "-15005", "platform"},
		{"13", "签名字段[pay_sig]为空", "header"},
		{"14", "87009", "checkSessionKey"},
		{"GBK", "-15005, 268490003", "GBK"},
	} {
		cells := found[row.id]
		if len(cells) != 3 || !strings.Contains(cells[0], row.symptom) || !strings.Contains(cells[1], row.cause) {
			t.Errorf("row %s is %q, expected %s and %s", row.id, cells, row.symptom, row.cause)
			continue
		}
		for _, cell := range cells[1:] {
			if !chinese.MatchString(cell) || !english.MatchString(cell) {
				t.Errorf("row %s is not in both languages: %s", row.id, cell)
			}
		}
	}
}

var (
	chinese = regexp.MustCompile(`\p{Han}{2}`)
	english = regexp.MustCompile(`[a-z]{2}`)
)
