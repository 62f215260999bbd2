package config

import (
	"encoding"
	"reflect"
	"strings"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/targets"
)

// field is one key of a mapping, as the tags of a struct describe it:
//
//	yaml      the key; fields without it are no part of the file
//	doc       what it means, one or two sentences
//	kind      how a string or number is read: path, location (a path or an address), size, glob, names (of a map's keys)
//	enum      the allowed values, separated by |
//	required  "true" when it cannot be left out
//	word      a plain value that may stand in place of a mapping; it becomes the value of the key ""
//	short     "true" on the field that a plain value in place of the mapping sets
//	default   what the documentation gives as default when the value itself cannot tell
//
// Embedded structs without a yaml tag belong to the mapping that embeds them.
type field struct {
	name, doc, kind, fallback, word string
	enum                            []string
	required, short                 bool
	index                           []int
	typ                             reflect.Type
}

// fieldsOf lists the keys of a struct in the order of its declaration.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct {
			for _, f := range fieldsOf(sf.Type) {
				f.index = append([]int{i}, f.index...)
				out = append(out, f)
			}
			continue
		}
		if name == "" || name == "-" || !sf.IsExported() {
			continue
		}
		f := field{
			name: name, doc: sf.Tag.Get("doc"), kind: sf.Tag.Get("kind"), fallback: sf.Tag.Get("default"), word: sf.Tag.Get("word"),
			required: sf.Tag.Get("required") == "true", short: sf.Tag.Get("short") == "true",
			index: []int{i}, typ: sf.Type,
		}
		if e := sf.Tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, "|")
		}
		out = append(out, f)
	}
	return out
}

func fieldNames(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// shortField is the field that a plain value sets, if the struct has one.
func shortField(t reflect.Type) (field, bool) {
	if t.Kind() == reflect.Struct {
		for _, f := range fieldsOf(t) {
			if f.short {
				return f, true
			}
		}
	}
	return field{}, false
}

var (
	secretType   = reflect.TypeFor[secret.String]()
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	sourceType   = reflect.TypeFor[sources.Config]()
	targetType   = reflect.TypeFor[targets.Config]()
)

// form is how a value is written in the file.
type form int

const (
	formText form = iota // any scalar, as text
	formSecret
	formDuration
	formSize
	formParsed // a type with its own UnmarshalText
	formBool
	formInt
	formFloat
	formList
	formMap
	formStruct
	formChoice // selected by its key "type"
	formAny
)

// words are the forms in messages and in the reference.
var words = map[form]string{
	formText: "text", formSecret: "secret text", formDuration: "a duration", formSize: "a size", formParsed: "text",
	formBool: "true or false", formInt: "a whole number", formFloat: "a number", formList: "a list",
	formMap: "a mapping", formStruct: "a mapping", formChoice: "a mapping", formAny: "any value",
}

func formOf(t reflect.Type, kind string) form {
	switch {
	case t == secretType:
		return formSecret
	case t == durationType:
		return formDuration
	case t == sourceType || t == targetType:
		return formChoice
	case reflect.PointerTo(t).Implements(textType):
		return formParsed
	}
	switch t.Kind() {
	case reflect.Pointer:
		return formOf(t.Elem(), kind)
	case reflect.Bool:
		return formBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if kind == "size" {
			return formSize
		}
		return formInt
	case reflect.Float32, reflect.Float64:
		return formFloat
	case reflect.Slice:
		return formList
	case reflect.Map:
		return formMap
	case reflect.Struct:
		return formStruct
	case reflect.Interface:
		return formAny
	case reflect.String:
		return formText
	}
	panic("config: a field has the type " + t.String() + ", which no value in a file can have")
}

// choice is one kind of source or target, whichever of the two it is.
type choice struct {
	name, summary string
	newConfig     func() any
}

// choices gives the kinds that the key "type" selects from.
func (k Kinds) choices(t reflect.Type) []choice {
	var out []choice
	if t == sourceType {
		for _, s := range k.Sources {
			out = append(out, choice{s.Name, s.Summary, func() any { return s.NewConfig() }})
		}
		return out
	}
	for _, s := range k.Targets {
		out = append(out, choice{s.Name, s.Summary, func() any { return s.NewConfig() }})
	}
	return out
}

func choiceNames(cs []choice) []string {
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = c.name
	}
	return names
}

// defaulter is a value of this package that knows its defaults; sources and targets bring theirs with NewConfig.
type defaulter interface{ setDefaults() }

// validator is a value that checks itself after it was decoded.
type validator interface{ Validate() []fault.Invalid }

// newValue makes an addressable value of a type with its defaults.
func newValue(t reflect.Type) reflect.Value {
	p := reflect.New(t)
	if d, ok := reflect.TypeAssert[defaulter](p); ok {
		d.setDefaults()
	}
	return p.Elem()
}
