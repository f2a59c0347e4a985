package dynamo

import (
	"bytes"
	"compress/flate"
	"io"
	"sync"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// packBytesMin is the least size of a body that is packed. A write is billed by the kilobyte of the whole item, and the other
// attributes take up to 300 bytes of the first: a smaller body would cost the same unpacked.
const packBytesMin = 512

// pack compresses a body (DEFLATE, RFC 1951), unless that gains nothing.
func pack(body []byte) (packed []byte, ok bool) {
	if len(body) < packBytesMin {
		return nil, false
	}
	var b bytes.Buffer
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&b)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	return b.Bytes(), b.Len() < len(body)
}

// packers are used again: a new one takes over a megabyte and half a millisecond.
var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // fails for an unknown level only
	return w
}}

// unpack returns what was packed. It is false for what pack did not make.
func unpack(packed []byte) (body []byte, ok bool) {
	body, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), store.BodyBytesMax+1))
	return body, err == nil && len(body) <= store.BodyBytesMax
}
