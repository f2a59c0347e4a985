package problem

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestAProblemIsFoundByItsCodeThroughWrapping(t *testing.T) {
	t.Parallel()
	for _, code := range Codes() {
		err := fmt.Errorf("order x: %w", New(code, "no %d", 7))
		if !errors.Is(err, code) || CodeOf(err) != code {
			t.Errorf("%v is not %s", err, code)
		}
		for _, other := range Codes() {
			if other != code && errors.Is(err, other) {
				t.Errorf("%v is %s too", err, other)
			}
		}
	}
}

func TestAnErrorThatNobodyNamedIsInternal(t *testing.T) {
	t.Parallel()
	for _, err := range []error{io.EOF, errors.New("x"), fmt.Errorf("y: %w", io.EOF), nil} {
		if got := CodeOf(err); got != Internal {
			t.Errorf("%v is %s", err, got)
		}
	}
}

func TestAHiddenCauseIsFoundButNotShown(t *testing.T) {
	t.Parallel()
	cause := fmt.Errorf("dial hunter2: %w", io.EOF)
	err := Hide(Unavailable, cause, "try again")
	if strings.Contains(err.Error(), "hunter2") || err.Message != "try again" {
		t.Errorf("shown: %v", err)
	}
	if !errors.Is(err, io.EOF) || !errors.Is(err, cause) {
		t.Error("the cause is lost for whoever must decide")
	}
}

func TestTheOuterProblemIsTheAnswer(t *testing.T) {
	t.Parallel()
	if err := New(Rejected, "no: %w", New(NotFound, "nothing")); CodeOf(err) != Rejected {
		t.Errorf("%v is %s", err, CodeOf(err))
	}
}

func TestCodesAreEachThereOnce(t *testing.T) {
	t.Parallel()
	seen := map[Code]bool{}
	for _, code := range Codes() {
		if seen[code] || code == "" {
			t.Errorf("%q stands twice", code)
		}
		seen[code] = true
	}
	if len(seen) != 9 {
		t.Errorf("%d codes: say so in the API's documentation and here", len(seen))
	}
}
