package config

import (
	"encoding"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"

	"kbsyncd/internal/secret"
)

// text reads a scalar with its variables replaced. Expanded says that there were some, so that the type is whatever
// the text can be read as.
func (d *decoder) text(n *yaml.Node, path string, want form) (text string, expanded, ok bool) {
	if n.Kind != yaml.ScalarNode {
		d.problem(path, "", "must be %s, not %s", words[want], nodeWord(n))
		return "", false, false
	}
	if isNull(n) {
		d.problem(path, "write a value or remove the key", "has no value")
		return "", false, false
	}
	if !d.plainTag(n, path) {
		return "", false, false
	}
	e, err := expand(n.Value, d.env)
	if err != nil {
		msg, hint := explain(err)
		d.problem(path, hint, "%s", msg)
		return "", false, false
	}
	for _, h := range e.used {
		d.hide(h.value, h.shown)
	}
	return e.text, expands(n.Value), true
}

// wrong reports a value. What the message shows is the text of the file, in which variables are not replaced.
func (d *decoder) wrong(n *yaml.Node, path string, err error) {
	msg, hint := explain(err)
	d.problem(path, hint, "%s: %s", quoted(n.Value), msg)
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string, f field) {
	form := formOf(v.Type(), f.kind)
	text, expanded, ok := d.text(n, path, form)
	if !ok {
		return
	}
	var err error
	switch form {
	case formSecret:
		d.secret(v, path, text)
	case formText:
		err = d.setText(v, f, text)
	case formParsed:
		err = v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
	case formDuration:
		err = setDuration(v, text)
	case formSize:
		var size int64
		if size, err = ParseSize(text); err == nil {
			v.SetInt(size)
		}
	default:
		err = setPlain(v, form, n.ShortTag(), text, expanded)
	}
	if err != nil {
		d.wrong(n, path, err)
	}
}

func (d *decoder) setText(v reflect.Value, f field, text string) error {
	if f.enum != nil && !slices.Contains(f.enum, text) {
		return &valueError{"not one of the allowed values", "write " + orList(f.enum)}
	}
	switch f.kind {
	case "path", "location":
		if f.kind == "location" && strings.Contains(text, "://") {
			break
		}
		if strings.ContainsRune(text, 0) {
			return &valueError{"not a path", ""}
		}
		if text != "" && !filepath.IsAbs(text) {
			text = filepath.Join(d.dir, text)
		}
	case "glob":
		if text == "" || !doublestar.ValidatePattern(text) {
			return &valueError{"not a valid glob", `write a pattern such as "**/*.md"; a literal [ or { needs a backslash`}
		}
	}
	v.SetString(text)
	return nil
}

func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

func setDuration(v reflect.Value, text string) error {
	d, err := ParseDuration(text)
	if err != nil {
		return err
	}
	if d < 0 {
		return &valueError{"negative", durationHint}
	}
	v.Set(reflect.ValueOf(d))
	return nil
}

// setPlain sets a bool or a number. Quoted text is refused, so that the file means the same to every reader of YAML;
// what comes from a variable has no type of its own.
func setPlain(v reflect.Value, form form, tag, text string, expanded bool) error {
	switch form {
	case formBool:
		if b, err := strconv.ParseBool(strings.ToLower(text)); err == nil && (tag == "!!bool" || expanded) {
			v.SetBool(b)
			return nil
		}
		return &valueError{"must be true or false", "write true or false, without quotes"}
	case formInt:
		i, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
		if err == nil && (tag == "!!int" || expanded) && !v.OverflowInt(i) {
			v.SetInt(i)
			return nil
		}
		return &valueError{"must be a whole number", "write digits, without quotes"}
	}
	x, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err == nil && (tag == "!!int" || tag == "!!float" || expanded) && !math.IsNaN(x) && !math.IsInf(x, 0) {
		v.SetFloat(x)
		return nil
	}
	return &valueError{"must be a number", "write digits, without quotes"}
}

func (d *decoder) secret(v reflect.Value, path, text string) {
	d.hide(text, "[redacted]")
	text = strings.TrimRight(text, "\r\n")
	if strings.ContainsFunc(text, isControl) {
		d.problem(path, "check how it was pasted or set", "the secret holds a line break or a control character")
		return
	}
	v.Set(reflect.ValueOf(secret.New(text)))
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// anything decodes a value that is handed on as it is: settings that a vendor defines.
func (d *decoder) anything(n *yaml.Node, path string) (out any) {
	d.enter(n, path, func(n *yaml.Node) {
		switch n.Kind {
		case yaml.MappingNode:
			m := map[string]any{}
			for _, p := range d.pairs(n, path) {
				at := join(path, p.key.Value)
				d.note(at, p)
				m[p.key.Value] = d.anything(p.value, at)
			}
			out = m
		case yaml.SequenceNode:
			l := make([]any, len(n.Content))
			for i, item := range n.Content {
				at := path + "[" + strconv.Itoa(i) + "]"
				d.at[at] = placeOf(item)
				l[i] = d.anything(item, at)
			}
			out = l
		default:
			out = d.anyScalar(n, path)
		}
	})
	return out
}

func (d *decoder) anyScalar(n *yaml.Node, path string) any {
	if isNull(n) {
		return nil
	}
	text, expanded, ok := d.text(n, path, formAny)
	if !ok {
		return nil
	}
	tag := n.ShortTag()
	if expanded && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0 {
		tag = (&yaml.Node{Kind: yaml.ScalarNode, Value: text}).ShortTag()
	}
	switch tag {
	case "!!bool":
		if b, err := strconv.ParseBool(strings.ToLower(text)); err == nil {
			return b
		}
	case "!!int":
		if i, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64); err == nil {
			return i
		}
	case "!!float":
		if x, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64); err == nil && !math.IsNaN(x) && !math.IsInf(x, 0) {
			return x
		}
	}
	return text
}
