package xpay

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
)

const (
	treeBytesMax = 1 << 20 // a push is a few KiB
	treeDepthMax = 16      // the deepest documented one has three levels
	treeNodesMax = 4096    // the largest documented one has about thirty fields; also bounds pieces of text
)

// node is a field of a push or an answer, the same for XML and JSON: a value or fields inside.
// A JSON array is a node per element, as XML writes lists.
type node struct {
	name, text string
	null       bool
	kids       []*node
}

func (n *node) child(name string) *node {
	if n == nil {
		return nil
	}
	for _, kid := range n.kids {
		if kid.name == name && !kid.null {
			return kid
		}
	}
	return nil
}

// tree grows nodes within the limits.
type tree struct{ nodes, texts int }

func (t *tree) add(parent *node, name string, depth int) (*node, error) {
	t.nodes++
	if depth > treeDepthMax || t.nodes > treeNodesMax {
		return nil, fmt.Errorf("more than %d levels or %d fields", treeDepthMax, treeNodesMax)
	}
	n := &node{name: name}
	parent.kids = append(parent.kids, n)
	return n, nil
}

// parseXML uses RawToken, a third faster than Unmarshal, and so checks the nesting itself. It refuses DOCTYPE.
func parseXML(msg []byte) (*node, error) {
	if len(msg) > treeBytesMax {
		return nil, errors.New("larger than 1 MiB")
	}
	var t tree
	dec := xml.NewDecoder(bytes.NewReader(msg))
	path := []*node{{}}
	for {
		token, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.New("not well-formed XML")
		}
		if path, err = t.step(path, token); err != nil {
			return nil, err
		}
	}
	if len(path) != 1 || len(path[0].kids) != 1 {
		return nil, errors.New("not one XML element")
	}
	return path[0].kids[0], nil
}

// step moves along one token; path holds the open elements under an unnamed one.
func (t *tree) step(path []*node, token xml.Token) ([]*node, error) {
	top := path[len(path)-1]
	switch token := token.(type) {
	case xml.StartElement:
		n, err := t.add(top, xmlName(token.Name), len(path))
		return append(path, n), err
	case xml.EndElement:
		if len(path) == 1 || top.name != xmlName(token.Name) {
			return nil, errors.New("an XML element ends that was not open")
		}
		if len(top.kids) > 0 {
			top.text = ""
		}
		return path[:len(path)-1], nil
	case xml.CharData:
		if len(path) == 1 && len(bytes.TrimSpace(token)) > 0 {
			return nil, errors.New("text outside the XML element")
		}
		if t.texts++; t.texts > 4*treeNodesMax {
			return nil, errors.New("too many pieces of text")
		}
		top.text += string(token)
	case xml.Directive:
		return nil, errors.New("a DOCTYPE, which WeChat never sends")
	case xml.Comment, xml.ProcInst:
	}
	return path, nil
}

func xmlName(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

func parseJSON(msg []byte) (*node, error) {
	if len(msg) > treeBytesMax {
		return nil, errors.New("larger than 1 MiB")
	}
	dec := json.NewDecoder(bytes.NewReader(msg))
	dec.UseNumber()
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	var t tree
	root := &node{}
	if err := t.object(dec, root, 1); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return root, nil
}

func (t *tree) object(dec *json.Decoder, n *node, depth int) error {
	for {
		key, err := dec.Token()
		if err != nil {
			return errors.New("not well-formed JSON")
		}
		name, ok := key.(string)
		if !ok {
			return nil // the closing brace
		}
		if err := t.value(dec, n, name, depth); err != nil {
			return err
		}
	}
}

func (t *tree) value(dec *json.Decoder, parent *node, name string, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return errors.New("not well-formed JSON")
	}
	if token == json.Delim('[') {
		return t.array(dec, parent, name, depth)
	}
	n, err := t.add(parent, name, depth)
	if err != nil {
		return err
	}
	switch token := token.(type) {
	case json.Delim:
		return t.object(dec, n, depth+1)
	case string:
		n.text = token
	case json.Number:
		n.text = token.String()
	case bool:
		n.text = strconv.FormatBool(token)
	case nil:
		n.null = true
	}
	return nil
}

func (t *tree) array(dec *json.Decoder, parent *node, name string, depth int) error {
	if depth > treeDepthMax {
		return fmt.Errorf("more than %d levels", treeDepthMax)
	}
	for dec.More() {
		if err := t.value(dec, parent, name, depth+1); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	if err != nil {
		return errors.New("not well-formed JSON")
	}
	return nil
}
