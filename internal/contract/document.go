package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What bounds a document.
const (
	maxBytes  = 10_000_000
	maxValues = 500_000 // commas of JSON or lines of YAML, because a small value takes much memory
	maxHops   = 32      // references that lead to each other
	maxNested = 8       // schemas inside each other
	maxVisits = 50_000  // schemas looked at in all
	maxOps    = 5_000
	maxNames  = 1_000 // of one list
	maxPath   = 500   // bytes
	maxText   = 200   // bytes of a name, an identifier, a summary or a reference that are looked at
)

// Document is what an OpenAPI 3 document says of the requests of an API.
type Document struct {
	operations []operation
	servers    []string // paths of the servers
}

// operation is one verb at one path.
type operation struct {
	method, path string
	labels       []string // its tags
	id, summary  string
	query        params
	body         params
}

// params are names that a request may carry.
type params struct {
	known    bool // the document tells them
	names    []string
	required []string
}

var errNoDocument = errors.New("not an OpenAPI 3 document")

// Parse reads an OpenAPI 3 document in JSON or YAML. What is of another kind than it should be is left out; references to
// other documents are not followed.
func Parse(data []byte) (*Document, error) {
	root, err := decode(data)
	if err != nil {
		return nil, err
	}
	p := &parser{root: asMap(root)}
	if version, _ := p.root["openapi"].(string); !strings.HasPrefix(version, "3.") {
		return nil, errNoDocument
	}
	doc := &Document{}
	servers, _ := p.root["servers"].([]any)
	for _, s := range servers {
		address, _ := asMap(s)["url"].(string)
		if u, err := url.Parse(address); err == nil && strings.Trim(u.Path, "/") != "" {
			doc.servers = append(doc.servers, "/"+strings.Trim(u.Path, "/"))
		}
	}
	paths := asMap(p.root["paths"])
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if _, ok := split(path); ok && len(path) <= maxPath {
			doc.operations = append(doc.operations, p.operations(path, paths[path])...)
		}
		if len(doc.operations) > maxOps {
			return nil, errors.New("the document has too many operations")
		}
	}
	if len(doc.operations) == 0 {
		return nil, errors.New("the document describes no requests")
	}
	return doc, nil
}

func decode(data []byte) (root any, err error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	start := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case len(data) > maxBytes, bytes.Count(data, []byte(",")) > maxValues:
		return nil, errors.New("the document is too large")
	case len(start) == 0:
		return nil, errNoDocument
	case start[0] == '{':
		if err := json.Unmarshal(data, &root); err != nil {
			return nil, errors.New("the document is no JSON")
		}
		return root, nil
	case start[0] == '<' || start[0] == '[' || !bytes.Contains(data, []byte("openapi")):
		return nil, errNoDocument
	case bytes.Count(data, []byte("\n")) > maxValues:
		return nil, errors.New("the document is too large")
	}
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, errors.New("the document is no YAML")
	}
	return textKeys(root), nil
}

// textKeys leaves out the keys that are no text, which only YAML has; they say nothing here.
func textKeys(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = textKeys(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = textKeys(v[k])
		}
	case map[any]any:
		out := map[string]any{}
		for k, value := range v {
			if name, ok := k.(string); ok {
				out[name] = textKeys(value)
			}
		}
		return out
	}
	return v
}

// asMap gives a mapping, nil when v is none.
func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func asText(v any) string {
	s, _ := v.(string)
	return s
}

func asTexts(v any) (out []string) {
	list, _ := v.([]any)
	for _, e := range list[:min(len(list), maxNames)] {
		if s := asText(e); s != "" {
			out = append(out, s)
		}
	}
	return out
}

type parser struct {
	root   map[string]any
	visits int
}

var methods = []string{"delete", "get", "patch", "post", "put"}

func (p *parser) operations(path string, item any) (out []operation) {
	m := p.resolve(item)
	for _, method := range methods {
		op := asMap(m[method])
		if op == nil {
			continue
		}
		o := operation{
			method: strings.ToUpper(method), path: path, labels: asTexts(op["tags"]),
			id: cut(asText(op["operationId"])), summary: cut(asText(op["summary"])),
		}
		o.query.known = true
		p.query(&o.query, m["parameters"])
		p.query(&o.query, op["parameters"])
		o.body = p.body(op["requestBody"])
		out = append(out, o)
	}
	return out
}

func cut(s string) string { return s[:min(len(s), maxText)] }

// resolve follows references within the document; nil when they lead nowhere.
func (p *parser) resolve(v any) map[string]any {
	m := asMap(v)
	for range maxHops {
		ref, is := m["$ref"].(string)
		if !is {
			return m
		}
		pointer, local := strings.CutPrefix(ref, "#/")
		if !local || len(pointer) > maxText {
			return nil
		}
		m = p.root
		for key := range strings.SplitSeq(pointer, "/") {
			if plain, err := url.PathUnescape(key); err == nil {
				key = plain
			}
			m = asMap(m[strings.NewReplacer("~1", "/", "~0", "~").Replace(key)])
		}
	}
	return nil
}

// query adds the parameters that belong in the query of an address.
func (p *parser) query(q *params, list any) {
	all, _ := list.([]any)
	for _, e := range all {
		if p.visits++; p.visits > maxVisits {
			q.known = false
			return
		}
		param := p.resolve(e)
		if asText(param["in"]) != "query" {
			q.known = q.known && param != nil
			continue
		}
		name := asText(param["name"])
		// An object stands for a parameter of each of its properties.
		if fields := p.schema(param["schema"]); len(fields.names) > 0 && param["content"] == nil {
			q.names, q.required = append(q.names, fields.names...), append(q.required, fields.required...)
		} else if name != "" && len(name) <= maxText {
			q.names = append(q.names, name)
			if must, _ := param["required"].(bool); must {
				q.required = append(q.required, name)
			}
		}
	}
}

// body gives the fields of a body in any of its forms. A required field of one form only is not called required.
func (p *parser) body(v any) (out params) {
	if v == nil {
		return params{known: true}
	}
	forms := asMap(p.resolve(v)["content"])
	for _, media := range slices.Sorted(maps.Keys(forms)) {
		fields := p.schema(asMap(forms[media])["schema"])
		out.names = append(out.names, fields.names...)
		if len(forms) == 1 {
			out.required = fields.required
		}
	}
	out.names = unique(out.names)
	out.known = len(out.names) > 0
	return out
}

// schema gives the properties of an object; none when it is something else or does not tell.
func (p *parser) schema(v any) params {
	var out params
	p.properties(v, &out, true, 0)
	out.names = unique(out.names)
	out.required = slices.DeleteFunc(unique(out.required), func(name string) bool { return !slices.Contains(out.names, name) })
	return out
}

// properties adds those of a schema and of what it is made of. Must is false below a choice, where nothing is required of all.
func (p *parser) properties(v any, out *params, must bool, depth int) {
	s := p.resolve(v)
	properties := asMap(s["properties"])
	if p.visits += 1 + len(properties); p.visits > maxVisits || depth > maxNested || len(properties) > maxNames {
		return
	}
	for name, property := range properties {
		if readOnly, _ := p.resolve(property)["readOnly"].(bool); !readOnly && len(name) <= maxText {
			out.names = append(out.names, name)
		}
	}
	if must {
		out.required = append(out.required, asTexts(s["required"])...)
	}
	for _, join := range []string{"allOf", "anyOf", "oneOf"} {
		parts, _ := s[join].([]any)
		for _, part := range parts {
			p.properties(part, out, must && join == "allOf", depth+1)
		}
	}
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
