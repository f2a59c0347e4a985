package xpay

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	treeBytesMax = 1 << 20 // a push is a few KiB
	treeDepthMax = 16      // the deepest documented one has three levels
	treeNodesMax = 4096    // the largest documented one has about thirty fields; also bounds pieces of text

	treeNodesChunk = 16 // allocated at once

	answerNodesMax = 1 << 16 // a page of 100 complaints has some 4000 fields
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
type tree struct {
	nodes, nodesMax, texts int
	free                   []node // made, but not in the tree yet
	text                   []byte // of the innermost element, since its start
}

func (t *tree) add(parent *node, name string, depth int) (*node, error) {
	t.nodes++
	if depth > treeDepthMax || t.nodes > t.nodesMax {
		return nil, fmt.Errorf("more than %d levels or %d fields", treeDepthMax, t.nodesMax)
	}
	if len(t.free) == 0 {
		t.free = make([]node, treeNodesChunk)
	}
	n := &t.free[0]
	t.free, n.name = t.free[1:], name
	parent.kids = append(parent.kids, n)
	return n, nil
}

// parseXML uses RawToken, a third faster than Unmarshal, and so checks the nesting itself. It refuses DOCTYPE.
func parseXML(msg []byte) (*node, error) {
	if len(msg) > treeBytesMax {
		return nil, errors.New("larger than 1 MiB")
	}
	t := tree{nodesMax: treeNodesMax}
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
		t.text = t.text[:0] // what an element with others inside says beside them is not kept
		return append(path, n), err
	case xml.EndElement:
		if len(path) == 1 || top.name != xmlName(token.Name) {
			return nil, errors.New("an XML element ends that was not open")
		}
		if len(top.kids) == 0 {
			top.text = string(t.text)
		}
		t.text = t.text[:0]
		return path[:len(path)-1], nil
	case xml.CharData:
		if len(path) == 1 && len(bytes.TrimSpace(token)) > 0 {
			return nil, errors.New("text outside the XML element")
		}
		if t.texts++; t.texts > 4*treeNodesMax {
			return nil, errors.New("too many pieces of text")
		}
		t.text = append(t.text, token...)
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

// parseJSON reads a push.
func parseJSON(msg []byte) (*node, error) {
	if len(msg) > treeBytesMax {
		return nil, errors.New("larger than 1 MiB")
	}
	return parseJSONOf(msg, treeNodesMax)
}

// parseJSONOf leaves the limit of bytes to its caller. The grammar is checked once, by json.Valid; the walk then only finds
// where things end, which is five times as fast as a json.Decoder.
func parseJSONOf(msg []byte, nodesMax int) (*node, error) {
	if first := bytes.TrimLeft(msg, jsonSpace); len(first) == 0 || first[0] != '{' {
		return nil, errors.New("not a JSON object")
	}
	if !json.Valid(msg) {
		return nil, errors.New("not well-formed JSON, or something follows the object")
	}
	w := jsonWalk{tree: tree{nodesMax: nodesMax}, rest: string(msg)}
	root := &node{}
	w.next()
	return root, w.object(root, 1)
}

const jsonSpace = " \t\r\n"

// jsonWalk goes through valid JSON; rest begins at what comes next. It is a string, so that names and texts are cut out of it
// without a copy of each.
type jsonWalk struct {
	tree
	rest string
}

// next skips space and gives the byte that follows.
func (w *jsonWalk) next() byte {
	for w.rest[0] <= ' ' {
		w.rest = w.rest[1:]
	}
	return w.rest[0]
}

// object reads from the opening brace behind the closing one.
func (w *jsonWalk) object(n *node, depth int) error {
	w.rest = w.rest[1:]
	for w.next() != '}' {
		name := w.text()
		w.next()
		w.rest = w.rest[1:] // the colon
		if err := w.value(n, name, depth); err != nil {
			return err
		}
		if w.next() == ',' {
			w.rest = w.rest[1:]
		}
	}
	w.rest = w.rest[1:]
	return nil
}

func (w *jsonWalk) value(parent *node, name string, depth int) error {
	first := w.next()
	if first == '[' {
		return w.array(parent, name, depth)
	}
	n, err := w.add(parent, name, depth)
	if err != nil {
		return err
	}
	switch first {
	case '{':
		return w.object(n, depth+1)
	case '"':
		n.text = w.text()
	case 'n':
		n.null = true
		w.word()
	default:
		n.text = w.word()
	}
	return nil
}

func (w *jsonWalk) array(parent *node, name string, depth int) error {
	if depth > treeDepthMax {
		return fmt.Errorf("more than %d levels", treeDepthMax)
	}
	w.rest = w.rest[1:]
	for w.next() != ']' {
		if err := w.value(parent, name, depth+1); err != nil {
			return err
		}
		if w.next() == ',' {
			w.rest = w.rest[1:]
		}
	}
	w.rest = w.rest[1:]
	return nil
}

// text reads a text with its quotes; only one with escapes, or not in UTF-8, needs json.Unmarshal.
func (w *jsonWalk) text() string {
	end, escaped := 1, false
	for ; w.rest[end] != '"'; end++ {
		if w.rest[end] == '\\' {
			escaped = true
			end++
		}
	}
	quoted := w.rest[:end+1]
	w.rest = w.rest[end+1:]
	if !escaped && utf8.ValidString(quoted) {
		return quoted[1:end]
	}
	var text string
	if err := json.Unmarshal([]byte(quoted), &text); err != nil {
		panic(err) // json.Valid has seen it
	}
	return text
}

// word reads a number, true, false or null.
func (w *jsonWalk) word() string {
	end := strings.IndexAny(w.rest, ",}]"+jsonSpace)
	word := w.rest[:end]
	w.rest = w.rest[end:]
	return word
}
