package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// asked is one request to AWS: the operation, the table or secret, and the id, partition key or stage.
type asked struct{ operation, where, which string }

// askedBy reads a request. Whatever else is in it does not decide on the answer.
func askedBy(target string, body []byte) (asked, error) {
	type key struct{ S string }
	var in struct {
		TableName, SecretId, VersionStage string
		Key, Item                         struct{ ID key }
		ExpressionAttributeValues         map[string]key
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return asked{}, fmt.Errorf("%s: %w", target, err)
	}
	_, operation, _ := strings.Cut(target, ".")
	switch operation {
	case "GetSecretValue":
		return asked{operation, in.SecretId, in.VersionStage}, nil
	case "GetItem", "UpdateItem":
		return asked{operation, in.TableName, in.Key.ID.S}, nil
	case "PutItem":
		return asked{operation, in.TableName, in.Item.ID.S}, nil
	case "Query":
		return asked{operation, in.TableName, in.ExpressionAttributeValues[":pk"].S}, nil
	}
	return asked{}, fmt.Errorf("the bare function cannot ask %q", target)
}

// canned is an AWS that answers at once what a real server answered before: what is left is the time of the function. It
// records until replay is called.
type canned struct {
	behind http.Handler // what answers while it records

	mu       sync.Mutex
	replays  bool
	answers  map[asked]cannedAnswer
	counts   map[string]int
	recorded []recorded
	failed   error // the first request without an answer
}

type cannedAnswer struct {
	status int
	header http.Header
	body   []byte
}

// recorded is when something was asked.
type recorded struct {
	asked
	at time.Time
}

func newCanned(behind http.Handler) *canned {
	return &canned{behind: behind, answers: map[asked]cannedAnswer{}, counts: map[string]int{}}
}

func (c *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the function has died
	}
	ask, err := askedBy(target, body)
	answer, ok := c.note(target, ask, err)
	if !ok && err == nil {
		answer, ok = c.record(ask, r, body)
	}
	if !ok {
		answer = cannedAnswer{status: http.StatusBadRequest, body: []byte(`{"__type":"ValidationException"}`)}
	}
	maps.Copy(w.Header(), answer.header)
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body) // the function may have died
}

// note counts a request and finds the answer that is kept for it.
func (c *canned) note(target string, ask asked, err error) (cannedAnswer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[target]++
	answer, ok := c.answers[ask]
	if err == nil && c.replays && !ok {
		err = fmt.Errorf("nothing was recorded for %v", ask)
	}
	if c.failed == nil {
		c.failed = err
	}
	return answer, ok && c.replays
}

func (c *canned) record(ask asked, r *http.Request, body []byte) (cannedAnswer, bool) {
	c.mu.Lock()
	replays := c.replays
	c.recorded = append(c.recorded, recorded{ask, time.Now()})
	c.mu.Unlock()
	if replays {
		return cannedAnswer{}, false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := recorder{header: http.Header{}, status: http.StatusOK}
	c.behind.ServeHTTP(&rec, r)
	rec.header.Del("Date")
	answer := cannedAnswer{rec.status, rec.header, rec.body.Bytes()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[ask] = answer
	return answer, true
}

// replay ends the recording and returns what was asked, in the order of time, before an instant and from then on.
func (c *canned) replay(from time.Time) (before, after []asked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replays = true
	for _, r := range c.recorded {
		if r.at.Before(from) {
			before = append(before, r.asked)
		} else {
			after = append(after, r.asked)
		}
	}
	return before, after
}

// Counts is the number of requests of each operation since the last Reset.
func (c *canned) Counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// Reset sets all counts to 0.
func (c *canned) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts = map[string]int{}
}

// err is what could not be answered.
func (c *canned) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}
