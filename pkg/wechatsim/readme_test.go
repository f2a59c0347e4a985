package wechatsim_test

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// The README names every fault and every control endpoint there is.
func TestReadmeIsComplete(t *testing.T) {
	t.Parallel()
	readme := read(t, "README.md")
	parts := []reflect.Type{reflect.TypeFor[wechatsim.APIFault]()}
	for f := range reflect.TypeFor[wechatsim.Faults]().Fields() {
		if f.Type.Kind() == reflect.Struct {
			parts = append(parts, f.Type)
		}
	}
	for _, part := range parts {
		for f := range part.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !strings.Contains(readme, "`"+name+"`") {
				t.Errorf("README.md does not name the fault %s", name)
			}
		}
	}
	for _, m := range regexp.MustCompile(`/sim/[A-Za-z]+`).FindAllString(read(t, "routes.go"), -1) {
		if !strings.Contains(readme, m) {
			t.Errorf("README.md does not name %s", m)
		}
	}
}

// The simulator stands alone: the standard library, and no package of the module it lives in.
func TestOnlyTheStandardLibrary(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if strings.Contains(i.Path.Value, ".") && !strings.HasSuffix(i.Path.Value, `/pkg/wechatsim"`) {
				t.Errorf("%s imports %s", name, i.Path.Value)
			}
		}
	}
}

// Faults survive being shown and set again.
func TestFaultsRoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"push":{"delay":"10s","drop":1},"api":{"/xpay/query_order":{"code":{"errcode":-1,"times":2}}},"orders":{"statusFlap":"30m","omitFields":["token"]}}`)
	want := w.sim.Faults()
	_, text := w.do("GET", "/sim/faults", "")
	var got wechatsim.Faults
	if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s became %+v, %v", text, got, err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
