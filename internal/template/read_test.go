package template

import (
	"maps"
	"slices"
	"testing"
)

const root = "../../"

func read(t *testing.T) object {
	t.Helper()
	doc, err := parse(root + "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// ofType returns the resources of a type by logical id.
func ofType(t *testing.T, template object, kind string) map[string]object {
	t.Helper()
	found := map[string]object{}
	for id := range at(template, "Resources") {
		if r := at(template, "Resources", id); r["Type"] == kind {
			found[id] = r
		}
	}
	if len(found) == 0 {
		t.Fatalf("the template has no %s", kind)
	}
	return found
}

// functions returns the functions by their folder: CreateOrderFunction is built from functions/createorder.
func functions(t *testing.T, template object) map[string]object {
	t.Helper()
	byFolder := map[string]object{}
	for id, f := range ofType(t, template, "AWS::Serverless::Function") {
		byFolder[folderOf(id)] = f
	}
	return byFolder
}

// property reads a property of a function, or the one that all have.
func property(template, function object, name string) string {
	if text := textAt(function, "Properties", name); text != "" {
		return text
	}
	return textAt(template, "Globals", "Function", name)
}

// eachText visits every text below.
func eachText(v any, visit func(text string)) {
	switch v := v.(type) {
	case object:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			visit(name)
			eachText(v[name], visit)
		}
	case []any:
		for _, each := range v {
			eachText(each, visit)
		}
	case string:
		visit(v)
	}
}
