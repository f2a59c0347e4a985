package store

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Check returns nil or an ErrInvalid that names the field which breaks a limit. Adapters call it before each write.
func Check(d Doc) error {
	if kind, name, _ := strings.Cut(d.ID, "/"); kind == "" || name == "" {
		return invalid("the id is not <kind>/<name>")
	}
	if len(d.Keys) > KeysMax {
		return invalid("%d keys, at most %d", len(d.Keys), KeysMax)
	}
	if len(d.Body) > BodyBytesMax {
		return invalid("the body has %d bytes, at most %d", len(d.Body), BodyBytesMax)
	}
	if d.Created.IsZero() {
		return invalid("created is not set")
	}
	return firstOf(checkTexts(d), checkTimes(d))
}

func checkTexts(d Doc) error {
	if slices.Contains(d.Keys, "") {
		return invalid("a key is empty")
	}
	err := firstOf(
		checkText("id", d.ID, IDBytesMax),
		checkText("user", d.User, KeyBytesMax),
		checkText("stamp", d.Stamp, KeyBytesMax))
	for _, key := range d.Keys {
		err = firstOf(err, checkText("key", key, KeyBytesMax))
	}
	return err
}

func checkText(field, text string, bytesMax int) error {
	switch {
	case len(text) > bytesMax:
		return invalid("the %s has %d bytes, at most %d", field, len(text), bytesMax)
	case !utf8.ValidString(text):
		return invalid("the %s is not UTF-8", field)
	case strings.ContainsFunc(text, unicode.IsControl):
		return invalid("the %s has a control character", field)
	}
	return nil
}

func checkTimes(d Doc) error {
	for _, t := range []time.Time{d.Created, d.Due, d.Expires} {
		if year := t.UTC().Year(); !t.IsZero() && (year < 1970 || year > 9999) {
			return invalid("a time lies in the year %d", year)
		}
	}
	return nil
}

// CheckPage returns the page's limit with its default and the place after which it starts (zero: at the newest).
func CheckPage(page Page) (limit int, after Cursor, err error) {
	switch {
	case page.Limit < 0 || page.Limit > PageMax:
		return 0, Cursor{}, invalid("a page of %d, at most %d", page.Limit, PageMax)
	case page.Limit == 0:
		page.Limit = PageDefault
	}
	if page.After != "" {
		after, err = ParseCursor(page.After)
	}
	return page.Limit, after, err
}

// CheckCount returns nil or ErrInvalid for a limit that Count does not take.
func CheckCount(limit int) error {
	if limit < 1 || limit > PageMax {
		return invalid("counting to %d, from 1 to %d", limit, PageMax)
	}
	return nil
}

// CheckDue returns nil or ErrInvalid for a limit that Due does not take.
func CheckDue(limit int) error {
	if limit < 1 || limit > DueMax {
		return invalid("%d due references, from 1 to %d", limit, DueMax)
	}
	return nil
}

// Rounded returns the document as a store gives it back: times in UTC at their precision, and a body and keys that
// share no memory with the argument's.
func Rounded(d Doc) Doc {
	d.Created = d.Created.UTC().Truncate(time.Millisecond)
	d.Due = d.Due.UTC().Truncate(time.Millisecond)
	d.Expires = d.Expires.UTC().Truncate(time.Second)
	d.Keys, d.Body = slices.Clone(d.Keys), bytes.Clone(d.Body)
	return d
}

// Expired reports whether the document counts as not stored.
func (d Doc) Expired(now time.Time) bool { return !d.Expires.IsZero() && !now.Before(d.Expires) }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
