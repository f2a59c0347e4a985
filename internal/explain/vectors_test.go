package explain

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

type wrongValue struct{ ID, Mistake, How, Vector, PaySig, Signature string }

type vector struct {
	ID, URI, AppKey, SessionKey, Body, PaySig, Signature string
	Wrong                                                []wrongValue
}

const vectorFolder = "../../pkg/xpay/testdata/vectors/"

func readVectors[T any](t *testing.T, name string) (all []T) {
	t.Helper()
	raw, err := os.ReadFile(vectorFolder + name)
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil || len(all) == 0 {
		t.Fatalf("%s: %d vectors, %v", name, len(all), err)
	}
	return all
}

// TestEveryWrongValueOfTheVectorsIsExplained: they were made outside, by check.py beside them.
func TestEveryWrongValueOfTheVectorsIsExplained(t *testing.T) {
	t.Parallel()
	byID := map[string]vector{}
	for _, v := range readVectors[vector](t, "signatures.json") {
		byID[v.ID] = v
		for _, w := range v.Wrong {
			checkWrong(t, v, w)
		}
	}
	for _, w := range readVectors[wrongValue](t, "mistakes.json") {
		checkWrong(t, byID[w.Vector], w)
	}
}

// checkWrong asks about each of a row's values. The vectors have two AppKeys.
func checkWrong(t *testing.T, v vector, w wrongValue) {
	t.Helper()
	q := Question{URI: v.URI, AppKey: v.AppKey, SessionKey: v.SessionKey, OtherAppKey: "67890", Body: []byte(v.Body)}
	if v.AppKey == "67890" {
		q.OtherAppKey = "12345"
	}
	for of, got := range map[string]string{paySig: w.PaySig, userSig: w.Signature} {
		if q.Got = got; got == "" {
			continue
		}
		a := ask(t, q)
		if !slices.ContainsFunc(a.Causes, func(c Cause) bool { return c.Of == of && slices.Equal(ids(c), []string{w.Mistake}) }) {
			t.Errorf("%s %s of %s: expected %s, got %+v", v.ID, w.How, of, w.Mistake, a.Causes)
		}
	}
}

func TestEveryRightValueOfTheVectorsIsRight(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors[vector](t, "signatures.json") {
		q := Question{URI: cmp.Or(v.URI, "/"), AppKey: v.AppKey, SessionKey: v.SessionKey, Body: []byte(v.Body)}
		for of, got := range map[string]string{paySig: v.PaySig, userSig: v.Signature} {
			if q.Got = got; got == "" {
				continue
			}
			if a := ask(t, q); a.Right != of {
				t.Errorf("%s: %s is said to be %+v", v.ID, of, a)
			}
		}
	}
}
