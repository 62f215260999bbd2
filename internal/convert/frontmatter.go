package convert

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v3"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// frontLimit bounds what is looked at as front matter; above it a document has none.
const frontLimit = 64 << 10

// ErrSkip says that the document's own front matter keeps it from being sent; it is of class fault.ErrUnsupported as well.
var ErrSkip error = fault.New(fault.ErrUnsupported, "its front matter says kbsync.skip")

// front is what the front matter of a Markdown document says.
type front struct {
	size     int // bytes of the block with its last line end; 0: there is none
	title    string
	skip     bool
	narrowed bool
	agents   []string
}

// readFront reads the front matter that a document begins with. What cannot be parsed is content, because
// Markdown may begin with a rule; only a wrong value under kbsync is an error, and kbsync in what cannot be parsed: a document that
// is kept from some agents must not reach them by a slip in its title.
func readFront(head []byte) (front, error) {
	sign, block, size := frontBlock(head)
	if size == 0 {
		if bytes.HasPrefix(head, []byte("---")) || bytes.HasPrefix(head, []byte("+++")) {
			return front{}, unread(head)
		}
		return front{}, nil
	}
	parse := parseYAML
	if sign == '+' {
		parse = parseTOML
	}
	fields, ok := guarded(block, parse)
	if !ok {
		return front{}, unread(head[:size])
	}
	f := front{size: size}
	err := f.read(fields)
	return f, err
}

// oursUnread is kbsync as a key, or in the name of a table, at the beginning of a line.
var oursUnread = regexp.MustCompile(`(?:^|[\r\n{,])[ \t\[{]*["']?kbsync["']?[ \t]*[:=.\]]`)

// unread is the error of front matter that cannot be read when it holds something for us.
func unread(block []byte) error {
	at := oursUnread.FindIndex(block)
	if at == nil {
		return nil
	}
	before := bytes.ReplaceAll(block[:at[1]], []byte("\r\n"), []byte("\n"))
	line := 1 + bytes.Count(before, []byte("\n")) + bytes.Count(before, []byte("\r"))
	return frontError(line, "it holds kbsync, but it cannot be read").
		WithHint("close it with a second line of --- within its first %d KB, give each key once, and put values with a colon in quotes", frontLimit>>10)
}

// frontBlock finds the lines between two lines of --- (YAML) or +++ (TOML) at the very beginning.
func frontBlock(head []byte) (sign byte, block []byte, size int) {
	head = head[:min(len(head), frontLimit)]
	first, _, found := bytes.Cut(head, []byte("\n"))
	fence := string(bytes.TrimRight(first, " \t\r"))
	if !found || fence != "---" && fence != "+++" {
		return 0, nil, 0
	}
	begin := len(first) + 1
	for at := begin; at < len(head); {
		line, _, ended := bytes.Cut(head[at:], []byte("\n"))
		after := at + len(line)
		if ended {
			after++
		}
		end := string(bytes.TrimRight(line, " \t\r"))
		if end == fence || fence == "---" && end == "..." {
			return fence[0], head[begin:at], after
		}
		at = after
	}
	return 0, nil, 0
}

// field is one value of front matter, whatever it was written in.
type field struct {
	line   int     // in the document
	text   *string // a single value
	truth  *bool   // when it is one of the two
	list   []field
	isList bool
	keys   []string // of a table, in order
	table  map[string]field
}

// guarded parses foreign text with a parser that is not ours.
func guarded(block []byte, parse func([]byte) (field, error)) (f field, ok bool) {
	defer func() {
		if recover() != nil {
			f, ok = field{}, false
		}
	}()
	f, err := parse(block)
	return f, err == nil && f.table != nil
}

var errNotTable = errors.New("not a table")

func parseYAML(block []byte) (field, error) {
	var doc yaml.Node
	if len(bytes.TrimSpace(block)) == 0 {
		return field{table: map[string]field{}}, nil
	}
	if err := yaml.Unmarshal(block, &doc); err != nil {
		return field{}, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return field{}, errNotTable
	}
	top, err := yamlTable(doc.Content[0])
	if err != nil {
		return field{}, err
	}
	f := field{table: map[string]field{}}
	for _, e := range top {
		switch e.key {
		case "title":
			f.set(e.key, yamlValue(e.value, e.line))
		case "kbsync":
			v, err := yamlOurs(e)
			if err != nil {
				return field{}, err
			}
			f.set(e.key, v)
		}
	}
	return f, nil
}

type yamlEntry struct {
	key   string
	line  int // in the document
	value *yaml.Node
}

// yamlTable lists a table's keys. A key that comes twice is no YAML.
func yamlTable(n *yaml.Node) ([]yamlEntry, error) {
	var out []yamlEntry
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.ScalarNode && seen[key.Value] {
			return nil, errNotTable
		}
		seen[key.Value] = true
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		out = append(out, yamlEntry{key.Value, key.Line + 1, value}) // below the line of ---
	}
	return out, nil
}

// yamlOurs takes what is under kbsync, and nothing deeper than the list of agents, so that aliases cannot multiply.
func yamlOurs(e yamlEntry) (field, error) {
	v := yamlValue(e.value, e.line)
	if v.table == nil {
		return v, nil
	}
	entries, err := yamlTable(e.value)
	for _, e := range entries {
		w := yamlValue(e.value, e.line)
		if w.isList && e.key == "agents" {
			for _, c := range e.value.Content {
				w.list = append(w.list, yamlValue(c, e.line))
			}
		}
		v.set(e.key, w)
	}
	return v, err
}

// yamlValue takes a value without what is in it.
func yamlValue(n *yaml.Node, line int) field {
	f := field{line: line}
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			break
		}
		f.text = &n.Value
		var b bool
		if n.Decode(&b) == nil {
			f.truth = &b
		}
	case yaml.SequenceNode:
		f.isList = true
	case yaml.MappingNode:
		f.table = map[string]field{}
	}
	return f
}

// tomlNesting bounds the parts of a dotted key and the inline tables of a block in TOML: what they cost the
// parser grows with the square of their depth.
const tomlNesting = 200

func parseTOML(block []byte) (field, error) {
	if bytes.Count(block, []byte("{")) > tomlNesting {
		return field{}, errNotTable
	}
	for line := range bytes.SplitSeq(block, []byte("\n")) {
		if bytes.Count(line, []byte(".")) > tomlNesting {
			return field{}, errNotTable
		}
	}
	var m map[string]any
	if _, err := toml.Decode(string(block), &m); err != nil {
		return field{}, err
	}
	f := tomlField(m, 3)
	f.place(bytes.Split(block, []byte("\n")))
	return f, nil
}

func tomlField(v any, depth int) field {
	var f field
	switch v := v.(type) {
	case map[string]any:
		f.table = map[string]field{}
		for k, v := range v {
			if depth > 0 {
				f.set(k, tomlField(v, depth-1))
			}
		}
		slices.Sort(f.keys)
	case []any:
		f.isList = true
		for _, v := range v {
			if depth > 0 {
				f.list = append(f.list, tomlField(v, 0))
			}
		}
	case []map[string]any:
		f.isList = true
	case bool:
		text := fmt.Sprint(v)
		f.text, f.truth = &text, &v
	default:
		text := fmt.Sprint(v)
		f.text = &text
	}
	return f
}

// place finds the lines of the keys below kbsync: the parser does not tell them.
func (f *field) place(lines [][]byte) {
	k, ok := f.table["kbsync"]
	if !ok {
		return
	}
	find := func(from int, what string) int {
		for i := from; i < len(lines); i++ {
			if bytes.Contains(lines[i], []byte(what)) {
				return i
			}
		}
		return from
	}
	at := find(0, "kbsync")
	k.line = at + 2
	for name, v := range k.table {
		v.line = find(at, name) + 2
		k.table[name] = v
	}
	f.table["kbsync"] = k
}

func (f *field) set(key string, v field) {
	if _, twice := f.table[key]; !twice {
		f.keys = append(f.keys, key)
	}
	f.table[key] = v
}

// read takes what concerns us from the block.
func (f *front) read(top field) error {
	if t := top.table["title"]; t.text != nil {
		f.title = *t.text
	}
	k, ok := top.table["kbsync"]
	if !ok || k.text == nil && !k.isList && k.table == nil {
		return nil
	}
	if k.table == nil {
		return frontError(k.line, "kbsync must hold keys such as skip, title and agents").
			WithHint("write, for example, kbsync: { skip: true }")
	}
	for _, key := range k.keys {
		if err := f.take(key, k.table[key]); err != nil {
			return err
		}
	}
	return nil
}

// take reads one key below kbsync.
func (f *front) take(key string, v field) error {
	switch key {
	case "skip":
		if v.truth == nil {
			return frontError(v.line, "kbsync.skip must be true or false").WithHint("write true to keep the document from being sent")
		}
		f.skip = *v.truth
	case "title":
		if v.text == nil {
			return frontError(v.line, "kbsync.title must be a text").WithHint("write the title in quotes")
		}
		f.title = *v.text
	case "agents":
		if !v.isList {
			return frontError(v.line, "kbsync.agents must be a list").WithHint("write, for example, [agt_1, agt_2]; [] is for nobody")
		}
		f.narrowed = true
		for _, a := range v.list {
			if a.text == nil || strings.TrimSpace(*a.text) == "" {
				return frontError(v.line, "kbsync.agents must be a list of the ids of agents").WithHint("write, for example, [agt_1, agt_2]")
			}
			if id := strings.TrimSpace(*a.text); !slices.Contains(f.agents, id) {
				f.agents = append(f.agents, id)
			}
		}
	default:
		return frontError(v.line, "kbsync.%s is not known", kb.Printable(key)).
			WithHint("kbsync takes skip, title and agents")
	}
	return nil
}

func frontError(line int, format string, args ...any) *fault.Error {
	return fault.New(fault.ErrRejected, "front matter, line %d: "+format, append([]any{line}, args...)...)
}

// titleLine is a title as a heading, at most as long as a heading may be.
func titleLine(title string) string {
	title = strings.Join(strings.Fields(strings.ToValidUTF8(title, "\uFFFD")), " ")
	title = strings.TrimSpace(string(wholeRunes([]byte(title[:min(len(title), headingHead-2)]))))
	if title == "" {
		return ""
	}
	return "# " + title
}
