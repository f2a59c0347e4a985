package lambdae2e_test

import (
	"fmt"
	"testing"
)

func TestTheEleventhOrderOfAMinuteIsRefused(t *testing.T) {
	t.Parallel()
	alice := deploy(t, options{}).login("oAlice")
	for i := range 10 {
		alice.buy(fmt.Sprintf("one-of-ten-%d", i)).into(t, 201, new(any))
	}
	alice.buy("the-eleventh").into(t, 429, new(any))
}
