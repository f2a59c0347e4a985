// Package template reads template.yaml for tests: its own hold the template to the code, and the end-to-end tests let each
// function do what its role allows, and nothing else.
package template

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// object is a mapping of the template. All scalars are text; !Ref X and its like read as "!Ref X", and !If [...], which has a
// list, as an object with the one name "!If".
type object = map[string]any

// parse reads a template from a file.
func parse(file string) (object, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return value(doc.Content[0]).(object), nil
}

func value(n *yaml.Node) any {
	if own := strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!"); own && n.Kind != yaml.ScalarNode {
		return object{n.Tag: plain(n)}
	} else if own {
		return n.Tag + " " + n.Value
	}
	return plain(n)
}

// plain reads a node without its tag.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		o := object{}
		for i := 0; i < len(n.Content); i += 2 {
			o[n.Content[i].Value] = value(n.Content[i+1])
		}
		return o
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, value(c))
		}
		return list
	}
	return n.Value
}

// chosen takes the side of an !If whose condition is one of holds, or not; anything else is itself. What is left out is nil.
func chosen(v any, holds []string) any {
	o, _ := v.(object)
	sides, ok := o["!If"].([]any)
	switch {
	case v == "!Ref AWS::NoValue":
		return nil
	case !ok:
		return v
	case slices.Contains(holds, sides[0].(string)):
		return chosen(sides[1], holds)
	default:
		return chosen(sides[2], holds)
	}
}

// at walks down; what is absent reads as an empty object.
func at(o object, path ...string) object {
	for _, name := range path {
		o, _ = o[name].(object)
	}
	return o
}

func textAt(o object, path ...string) string {
	text, _ := at(o, path[:len(path)-1]...)[path[len(path)-1]].(string)
	return text
}

// texts reads a text or a list of texts.
func texts(v any) (all []string) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, each := range list {
		text, _ := each.(string)
		all = append(all, text)
	}
	return all
}

// Roles returns what the function of each folder under functions/ may do: for each action the resources, as the
// template writes them ("!GetAtt OrdersTable.Arn"). The named conditions of the template hold ("ToWebhook"), the others
// do not.
func Roles(file string, holds ...string) (map[string]map[string][]string, error) {
	t, err := parse(file)
	if err != nil {
		return nil, err
	}
	roles := map[string]map[string][]string{}
	for id := range at(t, "Resources") {
		if f := at(t, "Resources", id); f["Type"] == "AWS::Serverless::Function" {
			roles[folderOf(id)] = allowed(at(t, "Resources", roleOf(f)), holds)
		}
	}
	return roles, nil
}

// roleOf is the logical id of a function's role.
func roleOf(function object) string {
	return strings.TrimSuffix(strings.TrimPrefix(textAt(function, "Properties", "Role"), "!GetAtt "), ".Arn")
}

// allowed lists the statements of a role's inline policies, when the named conditions hold.
func allowed(role object, holds []string) map[string][]string {
	may := map[string][]string{}
	policies, _ := at(role, "Properties")["Policies"].([]any)
	for _, p := range policies {
		statements, _ := at(p.(object), "PolicyDocument")["Statement"].([]any)
		for _, each := range statements {
			s, ok := chosen(each, holds).(object)
			if !ok {
				continue
			}
			for _, action := range texts(s["Action"]) {
				may[action] = append(may[action], resources(s["Resource"], holds)...)
			}
		}
	}
	return may
}

// resources reads one resource or a list of them, each of which may depend on a condition.
func resources(v any, holds []string) (all []string) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, each := range list {
		all = append(all, texts(chosen(each, holds))...)
	}
	return all
}

func folderOf(logicalID string) string {
	return strings.ToLower(strings.TrimSuffix(logicalID, "Function"))
}
