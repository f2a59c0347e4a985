package template

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
)

// event is as much of an event as says where it belongs.
type event struct {
	RouteKey       string
	RequestContext struct {
		RouteKey   string
		Authorizer struct{ IAM map[string]any }
	}
	Records []struct{ EventSource string }
	Source  string
}

func readEvents(t *testing.T) map[string]event {
	t.Helper()
	files, err := filepath.Glob(root + "events/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no events: %v", err)
	}
	all := map[string]event{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var e event
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = e
	}
	return all
}

// folder is the function to which AWS would give an event.
func (e event) folder() string {
	for _, r := range httpapi.Routes() {
		if e.RouteKey == r.Method+" "+r.Path && e.RequestContext.RouteKey == e.RouteKey {
			return r.Function
		}
	}
	switch {
	case len(e.Records) > 0 && e.Records[0].EventSource == "aws:sqs":
		return "reconcile"
	case e.Source == "aws.scheduler":
		return "sweep"
	}
	return ""
}

func TestEveryRouteHasAnEventAndEveryEventAFunction(t *testing.T) {
	t.Parallel()
	all := readEvents(t)
	for name, e := range all {
		if e.folder() == "" {
			t.Errorf("events/%s belongs to no function", name)
		}
	}
	for _, r := range httpapi.Routes() {
		key := r.Method + " " + r.Path
		found := slices.DeleteFunc(slices.Collect(maps.Values(all)), func(e event) bool { return e.RouteKey != key })
		if len(found) == 0 {
			t.Errorf("%s has no event", key)
		}
		for _, e := range found {
			if signed := len(e.RequestContext.Authorizer.IAM) > 0; signed != (r.Auth == httpapi.AuthMerchant) {
				t.Errorf("%s: an event signed with SigV4 %t", key, signed)
			}
		}
	}
}

var eventRow = regexp.MustCompile("(?m)^\\| `([a-z0-9-]+\\.json)` \\| (\\w+)Function \\|")

func TestTheReadmeNamesEachEventAndItsFunction(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(root + "events/README.md")
	if err != nil {
		t.Fatal(err)
	}
	documented, real := map[string]string{}, map[string]string{}
	for _, row := range eventRow.FindAllStringSubmatch(string(raw), -1) {
		documented[row[1]] = strings.ToLower(row[2])
	}
	for name, e := range readEvents(t) {
		real[name] = e.folder()
	}
	if diff := cmp.Diff(real, documented); diff != "" {
		t.Errorf("-events +README\n%s", diff)
	}
}
