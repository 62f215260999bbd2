package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/suggest"
)

// What bounds the work: the file's size bounds everything but what aliases multiply.
const (
	maxAliased = 20_000 // values reached through aliases
	maxDepth   = 64     // mappings and lists inside each other
)

// decoder fills Go values from YAML nodes. It never stops at the first problem.
type decoder struct {
	*collector
	env   func(string) (string, bool)
	dir   string // where relative paths start
	kinds Kinds

	at      map[string]place   // where each path stands: scalars at their value, the rest at their key
	types   map[string]string  // path of a source or target → its type
	excused map[string]bool    // keys that were probably meant by a misspelt one, so not to be called missing
	open    map[*yaml.Node]int // anchors whose content is being decoded
	inside  int                // aliases around the value that is being decoded
	aliased int                // values reached through aliases so far
	depth   int
}

// where is the place of a path, or of what is nearest above it.
func (d *decoder) where(path string) place {
	for {
		if p, ok := d.at[path]; ok {
			return p
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return d.at[""]
		}
		path = path[:i]
	}
}

// problem adds a problem at the place of path.
func (d *decoder) problem(path, hint, format string, args ...any) {
	d.add(d.where(path), path, hint, format, args...)
}

func placeOf(n *yaml.Node) place { return place{n.Line, n.Column} }

func join(path, key string) string {
	key = kb.Printable(key)
	if len(key) > 80 {
		key = key[:80] + "..."
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// enter follows an alias and calls fn with its content, unless that would not end.
func (d *decoder) enter(n *yaml.Node, path string, fn func(*yaml.Node)) {
	if d.depth >= maxDepth {
		d.problem(path, "", "nested too deeply")
		return
	}
	if !d.charge(1, path) {
		return
	}
	d.depth++
	defer func() { d.depth-- }()
	if n.Kind != yaml.AliasNode {
		fn(n)
		return
	}
	if n.Alias == nil || d.open[n.Alias] > 0 {
		d.add(placeOf(n), path, "", "the alias refers to itself")
		return
	}
	d.open[n.Alias]++
	d.inside++
	d.enter(n.Alias, path, fn)
	d.inside--
	d.open[n.Alias]--
}

// charge counts values that are reached through an alias, and tells whether there may be more.
func (d *decoder) charge(values int, path string) bool {
	if d.inside == 0 {
		return true
	}
	before := d.aliased
	d.aliased += values
	if before <= maxAliased && d.aliased > maxAliased {
		d.problem(path, "write the values out", "aliases make the file too large")
	}
	return d.aliased <= maxAliased
}

// value decodes n into v. The place of path is known already.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, f field) {
	d.enter(n, path, func(n *yaml.Node) {
		if v.Kind() == reflect.Pointer {
			if isNull(n) {
				return
			}
			if v.IsNil() {
				v.Set(newValue(v.Type().Elem()).Addr())
			}
			v = v.Elem()
		}
		switch formOf(v.Type(), f.kind) {
		case formList:
			d.sequence(n, v, path, f)
		case formMap:
			d.mapping(n, v, path, f)
		case formStruct:
			d.structure(n, v, path, "")
		case formChoice:
			d.choice(n, v, path)
		case formAny:
			if got := d.anything(n, path); got != nil {
				v.Set(reflect.ValueOf(got))
			}
		default:
			d.scalar(n, v, path, f)
		}
	})
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// is tells whether a node has the wanted kind; a key with nothing behind it counts as empty.
func (d *decoder) is(n *yaml.Node, kind yaml.Kind, path, want string) bool {
	if n.Kind == kind {
		return d.plainTag(n, path)
	}
	if !isNull(n) {
		d.problem(path, "", "must be %s, not %s", want, nodeWord(n))
	}
	return false
}

func nodeWord(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	}
	return "text"
}

// plainTag refuses tags that YAML applications use to run code or to change the type of a value.
func (d *decoder) plainTag(n *yaml.Node, path string) bool {
	if n.Style&yaml.TaggedStyle == 0 {
		return true
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!map", "!!seq", "!!null":
		return true
	}
	d.problem(path, "remove the !", "YAML tags are not supported here")
	return false
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, path string, f field) {
	elem := v.Type().Elem()
	_, short := shortField(elem)
	single := short || formOf(elem, f.kind) <= formParsed
	if n.Kind == yaml.ScalarNode && single && !isNull(n) {
		one := newValue(elem)
		d.value(n, one, path, f)
		v.Set(reflect.Append(reflect.MakeSlice(v.Type(), 0, 1), one))
		return
	}
	want := "a list"
	if single {
		want = "one value or a list"
	}
	if !d.is(n, yaml.SequenceNode, path, want) {
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, len(n.Content))
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.at[at] = placeOf(item)
		one := newValue(elem)
		if isNull(item) {
			d.problem(at, "write a value or remove the dash", "has no value")
			continue
		}
		d.value(item, one, at, f)
		out = reflect.Append(out, one)
	}
	v.Set(out)
}

// pair is one key of a mapping with its value.
type pair struct{ key, value *yaml.Node }

// pairs lists the keys of a mapping, merged ones (<<) after its own, without duplicates.
func (d *decoder) pairs(n *yaml.Node, path string) []pair {
	var out []pair
	first := map[string]int{}
	var merges []*yaml.Node
	if !d.charge(len(n.Content), path) {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge" {
			merges = append(merges, v)
			continue
		}
		if k.Kind != yaml.ScalarNode {
			d.add(placeOf(k), path, "write a name before the colon", "a key must be text")
			continue
		}
		if line, ok := first[k.Value]; ok {
			d.add(placeOf(k), join(path, k.Value), "keep one of them", "duplicate key; it was given on line %d already", line)
			continue
		}
		first[k.Value] = k.Line
		out = append(out, pair{k, v})
	}
	for _, m := range merges {
		for _, p := range d.merged(m, path) {
			if _, ok := first[p.key.Value]; !ok {
				first[p.key.Value] = p.key.Line
				out = append(out, p)
			}
		}
	}
	return out
}

func (d *decoder) merged(n *yaml.Node, path string) (out []pair) {
	d.enter(n, path, func(n *yaml.Node) {
		switch n.Kind {
		case yaml.MappingNode:
			out = d.pairs(n, path)
		case yaml.SequenceNode:
			for _, item := range n.Content {
				out = append(out, d.merged(item, path)...)
			}
		default:
			d.add(placeOf(n), path, "write <<: *anchor", "only a mapping can be merged")
		}
	})
	return out
}

// note remembers where the value of a key stands.
func (d *decoder) note(path string, p pair) {
	d.at[path] = placeOf(p.key)
	if p.value.Kind == yaml.ScalarNode && p.value.Line > 0 {
		d.at[path] = placeOf(p.value)
	}
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string, f field) {
	if f.word != "" && n.Kind == yaml.ScalarNode && !isNull(n) {
		d.word(n, v, path, f)
		return
	}
	if !d.is(n, yaml.MappingNode, path, "a mapping") {
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, p := range d.pairs(n, path) {
		at := join(path, p.key.Value)
		d.note(at, p)
		if f.kind == "names" {
			d.at[at] = placeOf(p.key)
			if !namePattern.MatchString(p.key.Value) || strings.Trim(p.key.Value, ".") == "" {
				d.problem(at, "use letters, digits, dot, dash and underscore, at most 64", "not a valid name")
			}
		}
		one := newValue(v.Type().Elem())
		if isNull(p.value) && formOf(one.Type(), "") < formList {
			d.problem(at, "write a value or remove the key", "has no value")
			continue
		}
		d.value(p.value, one, at, field{kind: f.kind})
		out.SetMapIndex(reflect.ValueOf(p.key.Value).Convert(v.Type().Key()), one)
	}
	v.Set(out)
}

// word decodes the plain value that stands for a mapping.
func (d *decoder) word(n *yaml.Node, v reflect.Value, path string, f field) {
	var got string
	d.scalar(n, reflect.ValueOf(&got).Elem(), path, field{})
	switch {
	case d.has(path):
	case got != f.word:
		d.problem(path, "write a mapping, or "+f.word, "neither a mapping nor %s", f.word)
	default:
		out := reflect.MakeMap(v.Type())
		out.SetMapIndex(reflect.ValueOf(""), reflect.ValueOf(got))
		v.Set(out)
	}
}

// choice decodes a source or target: its key "type" says what the other keys are.
func (d *decoder) choice(n *yaml.Node, v reflect.Value, path string) {
	known := d.kinds.choices(v.Type())
	names := choiceNames(known)
	missing := func() {
		d.problem(path, "write type: and one of "+strings.Join(names, ", "), "has no type")
	}
	if !d.is(n, yaml.MappingNode, path, "a mapping") {
		if isNull(n) {
			missing()
		}
		return
	}
	var kind string
	found := false
	for _, p := range d.pairs(n, path) {
		if p.key.Value == "type" {
			found = true
			d.note(path+".type", p)
			d.value(p.value, reflect.ValueOf(&kind).Elem(), path+".type", field{})
		}
	}
	if !found {
		missing()
		return
	}
	for _, c := range known {
		if c.name == kind {
			cfg := c.newConfig()
			d.types[path] = kind
			d.structure(n, reflect.ValueOf(cfg).Elem(), path, "type")
			v.Set(reflect.ValueOf(cfg))
			return
		}
	}
	if !d.has(path + ".type") {
		d.problem(path+".type", didYouMean(kind, names, "known are "), "unknown type %s", quoted(kind))
	}
}

// structure decodes a mapping with known keys; extra is one more key that is allowed and was read elsewhere.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, path, extra string) {
	if f, ok := shortField(v.Type()); ok && n.Kind == yaml.ScalarNode && !isNull(n) {
		d.value(n, v.FieldByIndex(f.index), path, f)
		d.settle(v, path, map[string]bool{f.name: true})
		return
	}
	if !d.is(n, yaml.MappingNode, path, "a mapping") && !isNull(n) {
		return
	}
	fields := fieldsOf(v.Type())
	names := fieldNames(fields)
	seen := map[string]bool{}
	for _, p := range d.mappingPairs(n, path) {
		key := p.key.Value
		if key == extra && extra != "" {
			continue
		}
		i := slices.Index(names, key)
		if i < 0 {
			d.unknown(p.key, path, names)
			continue
		}
		seen[key] = true
		at := join(path, key)
		d.note(at, p)
		if isNull(p.value) && formOf(fields[i].typ, fields[i].kind) < formList {
			d.problem(at, "write a value or remove the key", "has no value")
			continue
		}
		d.value(p.value, v.FieldByIndex(fields[i].index), at, fields[i])
	}
	d.settle(v, path, seen)
}

func (d *decoder) mappingPairs(n *yaml.Node, path string) []pair {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	return d.pairs(n, path)
}

func (d *decoder) unknown(key *yaml.Node, path string, names []string) {
	at := join(path, key.Value)
	d.add(placeOf(key), at, didYouMean(key.Value, names, "known are "), "unknown key")
	if s := suggest.Nearest(key.Value, names); s != "" {
		d.excused[join(path, s)] = true
	}
}

// settle checks a struct whose keys were all decoded: secrets from files, what is required, and its own Validate.
func (d *decoder) settle(v reflect.Value, path string, seen map[string]bool) {
	fields := fieldsOf(v.Type())
	d.secrets(v, fields, path, seen)
	for _, f := range fields {
		at := join(path, f.name)
		if !f.required || d.excused[at] || d.has(at) {
			continue
		}
		hint := ""
		if f.typ.Kind() == reflect.Map {
			hint = "at least one is needed"
		}
		switch got := v.FieldByIndex(f.index); {
		case !seen[f.name]:
			d.add(d.where(path), at, hint, "missing")
		case isEmpty(got):
			d.problem(at, hint, "empty")
		}
	}
	if check, ok := reflect.TypeAssert[validator](v.Addr()); ok {
		for _, bad := range check.Validate() {
			d.invalid(path, bad.Field, bad.Msg, bad.Hint)
		}
	}
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice:
		return v.Len() == 0
	}
	return v.IsZero()
}

// invalid adds what a Validate found, unless the same value has a problem already: a value that could not be read looks
// missing to Validate.
func (d *decoder) invalid(path, name, msg, hint string) {
	at := path
	if name != "" {
		at = strings.TrimPrefix(path+"."+name, ".")
		if d.has(at) {
			return
		}
		for up := at; len(up) > len(path); up = up[:max(strings.LastIndexAny(up, ".["), 0)] {
			if d.hasExactly(up) || d.excused[up] {
				return
			}
		}
	}
	d.problem(at, hint, "%s", msg)
}
