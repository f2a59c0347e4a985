package wechatsim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// topic is what pushes tell about when it is no order: a subscription contract or a case of WeChat Pay's risk control.
// Each happening causes one push. Happenings are part of the journaled record, so a push lost in a crash is made anew.
type topic struct {
	Happened []happening `json:"happened,omitempty"`

	pushes []*push // journaled on their own
}

// happening is one event of a topic, complete but for its envelope.
type happening struct {
	Event string          `json:"event"`
	From  string          `json:"from"` // FromUserName
	Body  json.RawMessage `json:"body"` // the fields of the event as a JSON object, in order
}

const (
	aboutContract = "contract/"
	aboutCase     = "case/"
)

// topic gives the topic of that name, nil if there is none.
func (s *Sim) topic(about string) *topic {
	if key, is := strings.CutPrefix(about, aboutContract); is {
		if c := s.contracts.get(key); c != nil {
			return &c.topic
		}
	}
	if key, is := strings.CutPrefix(about, aboutCase); is {
		if c := s.cases.get(key); c != nil {
			return &c.topic
		}
	}
	return nil
}

// happen adds an event; the caller writes the record down and then calls tellTopic.
func (t *topic) happen(event, from string, body []field) {
	t.Happened = append(t.Happened, happening{Event: event, From: from, Body: renderJSON(body)})
}

// tellTopic queues a push for every happening that has none yet; like tellPayments it also repairs.
func (s *Sim) tellTopic(about string, t *topic) {
	_, now := s.clock()
	for i, h := range t.Happened {
		if slices.ContainsFunc(t.pushes, func(p *push) bool { return p.Index == i }) {
			continue
		}
		p := &push{About: about, Event: h.Event, Index: i, Due: now.add(time.Duration(s.faults.Push.Delay))}
		t.pushes = append(t.pushes, p)
		s.send(p)
	}
}

// topicEvent renders one happening. Only risk control counts its repeats (spec 7.6, 7.7 and 7.9).
func (s *Sim) topicEvent(t *topic, p *push) []field {
	h := t.Happened[p.Index]
	own, err := parseEvent(h.Body)
	if err != nil {
		panic("wechatsim: an event of its own making cannot be read: " + err.Error())
	}
	if h.Event == eventRisk {
		own = append(own, field{"RetryTimes", int64(p.Attempts)})
	}
	return append(s.envelope(h.From, p), own...)
}

// topics calls visit for every topic there is, in a fixed order.
func (s *Sim) topics(visit func(about string, t *topic)) {
	for _, c := range s.contracts.list {
		visit(aboutContract+c.Key, &c.topic)
	}
	for _, c := range s.cases.list {
		visit(aboutCase+c.CaseID, &c.topic)
	}
}

func (t *topic) view() []PushView {
	views := make([]PushView, len(t.pushes))
	for i, p := range t.pushes {
		views[i] = p.view()
	}
	return views
}
