package store

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Cursor is a place in a list that is sorted by Created and, where that is equal, by id. Its text is opaque to
// callers and safe in a URL.
type Cursor struct {
	Created time.Time // millisecond precision
	ID      string
}

// CursorAt is the place of a document: the next part starts behind it.
func CursorAt(d Doc) Cursor { return Cursor{Created: d.Created, ID: d.ID} }

func (c Cursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.Created.UnixMilli(), 10) + " " + c.ID))
}

// ParseCursor reads what String wrote and refuses everything else with ErrInvalid.
func ParseCursor(text string) (Cursor, error) {
	raw, _ := base64.RawURLEncoding.DecodeString(text)
	millis, id, _ := strings.Cut(string(raw), " ")
	created, _ := strconv.ParseInt(millis, 10, 64)
	c := Cursor{Created: time.UnixMilli(created).UTC(), ID: id}
	if c.String() != text || Check(Doc{ID: c.ID, Created: c.Created}) != nil {
		return Cursor{}, invalid("the cursor is malformed")
	}
	return c, nil
}
