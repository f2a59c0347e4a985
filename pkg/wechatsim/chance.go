package wechatsim

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// chance is the only source of randomness. A draw depends on the seed and its number alone, so the number of draws
// is the whole state and fits in every journal line.
type chance struct {
	seed  uint64
	draws uint64
}

func newChance(seed uint64) (chance, error) {
	if seed != 0 {
		return chance{seed: seed}, nil
	}
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return chance{}, err
	}
	return chance{seed: binary.BigEndian.Uint64(b[:])}, nil
}

// draw gives the next 32 bytes.
func (c *chance) draw() [32]byte {
	c.draws++
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], c.seed)
	binary.BigEndian.PutUint64(b[8:], c.draws)
	return sha256.Sum256(b[:])
}

func (c *chance) bytes16() []byte { d := c.draw(); return d[:16] }

func (c *chance) hex(n int) string {
	out := ""
	for len(out) < n {
		d := c.draw()
		out += hex.EncodeToString(d[:])
	}
	return out[:n]
}

// digits gives n >= 7 digits; the last six count draws, so numbers of one second never collide.
func (c *chance) digits(n int) string {
	d := c.draw()
	head := binary.BigEndian.Uint64(d[:8])
	for i, pow := 0, uint64(1); i < n-6; i++ {
		if pow *= 10; i == n-7 {
			head %= pow
		}
	}
	return fmt.Sprintf("%0*d%06d", n-6, head, c.draws%idCounterMax)
}

func (c *chance) nonce() string { return c.digits(9) }

func (c *chance) sessionKey() string { return base64.StdEncoding.EncodeToString(c.bytes16()) }

func (c *chance) loginCode() string {
	d := c.draw()
	return base64.RawURLEncoding.EncodeToString(d[:24])
}

// rid has the form that ends real error messages: xxxxxxxx-xxxxxxxx-xxxxxxxx.
func (c *chance) rid(now time.Time) string {
	h := c.hex(16)
	return fmt.Sprintf("%08x-%s-%s", uint32(now.Unix()), h[:8], h[8:])
}

func inChina(t time.Time) time.Time { return t.In(time.FixedZone("CST", chinaSeconds)) }

// The numbers below have the length and the dates of real ones, spec 4.6 and 7.4.

func (c *chance) wxOrderID(t time.Time) string {
	return c.stamped("VPO", t, 9)
}

func (c *chance) wxRefundID(t time.Time) string {
	return c.stamped("VPR", t, 9)
}

func (c *chance) midasToken(t time.Time) string {
	return "E-" + inChina(t).Format("0601021504") + c.digits(8)
}

func (c *chance) mchOrderNo(t time.Time) string {
	return inChina(t).Format("20060102") + c.digits(10)
}

func (c *chance) transactionID(t time.Time) string {
	return "4500000138" + inChina(t).Format("20060102") + c.digits(10)
}

func (c *chance) appleTransactionID() string { return "2000001" + c.digits(9) }

func (c *chance) refundTransactionID(t time.Time) string {
	return "5030000001" + inChina(t).Format("20060102") + c.digits(11)
}

// stamped is a number as WeChat makes many of them: letters, the second in China, digits.
func (c *chance) stamped(letters string, t time.Time, digits int) string {
	return letters + inChina(t).Format("060102150405") + c.digits(digits)
}

func (c *chance) consoleRefundID(t time.Time) string {
	return c.stamped("MP", t, 12)
}

func (c *chance) withdrawID(t time.Time) string {
	return c.stamped("VPW", t, 9)
}

func (c *chance) billID(t time.Time) string {
	return c.stamped("AFB", t, 9)
}

func (c *chance) fundID(t time.Time) string {
	return "AF" + inChina(t).Format("20060102") + c.digits(10)
}

func (c *chance) logID(t time.Time) string {
	return c.stamped("LOG", t, 9)
}

func (c *chance) appleOrderNo(t time.Time) string {
	return c.stamped("AS", t, 12)
}

func (c *chance) complaintID(t time.Time) string {
	return "2002018" + inChina(t).Format("20060102") + c.digits(12)
}
