package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// fieldsOf are the texts of a secret by the names of their fields, as appKeys.sandbox. An empty field is none, and a value
// that is not of the secret's form has none.
func (g secretGroup) fieldsOf(value string) map[string][]string {
	fields := map[string][]string{}
	raw, err := json.Marshal(g.read(value)) // whatever the letters' case of a name, it is written in one way
	var root any
	if err == nil && json.Unmarshal(raw, &root) == nil {
		collectFields(fields, "", root)
	}
	return fields
}

func collectFields(fields map[string][]string, name string, part any) {
	switch part := part.(type) {
	case map[string]any:
		for inner, p := range part {
			collectFields(fields, strings.TrimPrefix(name+"."+inner, "."), p)
		}
	case []any:
		for _, p := range part {
			collectFields(fields, name, p)
		}
	case string:
		if part != "" {
			fields[name] = append(fields[name], part)
		}
	}
}

// fieldChanges names the fields that have another value now and those that are gone.
func fieldChanges(old, now map[string][]string) (changed, dropped []string) {
	for name, values := range now {
		if !slices.Equal(values, old[name]) {
			changed = append(changed, name)
		}
	}
	for name := range old {
		if len(now[name]) == 0 {
			dropped = append(dropped, name)
		}
	}
	slices.Sort(changed)
	slices.Sort(dropped)
	return changed, dropped
}

// consoleForms is what WeChat's console takes as Token and EncodingAESKey.
//
//nolint:gochecknoglobals // a table
var consoleForms = []struct {
	name, says string
	form       *regexp.Regexp
}{
	{"tokens", "3 to 32 letters and digits", regexp.MustCompile(`^[A-Za-z0-9]{3,32}$`)},
	{"aesKeys", "43 letters and digits", regexp.MustCompile(`^[A-Za-z0-9]{43}$`)},
}

// consoleTakes says which Token or EncodingAESKey WeChat's console does not take. The functions are more liberal, and what is
// stored already stays: it may be one that WeChat took in other days.
func consoleTakes(next, stored map[string][]string) error {
	var problems []error
	for _, want := range consoleForms {
		for i, text := range next[want.name] {
			if !want.form.MatchString(text) && !slices.Contains(stored[want.name], text) {
				problems = append(problems, fmt.Errorf("%s[%d] must be %s, as WeChat's console takes it", want.name, i, want.says))
			}
		}
	}
	return errors.Join(problems...)
}
