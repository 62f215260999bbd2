package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Reference is the table of all keys in Markdown, made from the same structs that Load fills.
func Reference(kinds Kinds) string {
	r := &reference{}
	doc := newValue(reflect.TypeFor[document]())
	r.section("##", "Top level", "", doc)
	for _, t := range []reflect.Type{sourceType, targetType} {
		family := familyOf(t)
		fmt.Fprintf(&r.out, "## `%ss.NAME`\n\nThe key `type` (required) selects one of these:\n\n", family)
		for _, c := range kinds.choices(t) {
			r.section("###", "`type: "+c.name+"`", c.summary, reflect.ValueOf(c.newConfig()).Elem())
		}
	}
	r.section("##", "`syncs.NAME`", "", newValue(reflect.TypeFor[syncEntry]()))
	return strings.TrimRight(r.out.String(), "\n") + "\n"
}

type reference struct{ out strings.Builder }

// section writes one heading with the table of a struct.
func (r *reference) section(level, title, summary string, v reflect.Value) {
	fmt.Fprintf(&r.out, "%s %s\n\n", level, title)
	if summary != "" {
		r.out.WriteString(escape(strings.ToUpper(summary[:1])+summary[1:]) + ".\n\n")
	}
	r.out.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
	r.rows(v, "")
	r.out.WriteString("\n")
}

func (r *reference) rows(v reflect.Value, prefix string) {
	for _, f := range fieldsOf(v.Type()) {
		fv := v.FieldByIndex(f.index)
		if fv.Kind() == reflect.Pointer {
			if fv.IsNil() {
				fv = newValue(fv.Type().Elem())
			} else {
				fv = fv.Elem()
			}
		}
		fmt.Fprintf(&r.out, "| `%s` | %s | %s | %s |\n", prefix+f.name, escape(valueWord(fv.Type(), f)), escape(defaultWord(fv, f)), escape(f.doc))
		switch form := formOf(fv.Type(), f.kind); {
		case form == formStruct:
			r.rows(fv, prefix+f.name+".")
		case form == formList && formOf(fv.Type().Elem(), "") == formStruct:
			r.rows(newValue(fv.Type().Elem()), prefix+f.name+"[].")
		}
	}
}

var escaper = strings.NewReplacer("|", `\|`, "*", `\*`)

// escape keeps a cell of the table in one piece and globs from becoming bold text.
func escape(s string) string { return escaper.Replace(s) }

func valueWord(t reflect.Type, f field) string {
	if f.enum != nil {
		return "`" + strings.Join(f.enum, "` `") + "`"
	}
	switch formOf(t, f.kind) {
	case formText:
		switch f.kind {
		case "path", "glob":
			return f.kind
		case "location":
			return "path or address"
		}
		return "text"
	case formSecret:
		return "secret"
	case formDuration:
		return "duration"
	case formSize:
		return "size"
	case formInt:
		return "whole number"
	case formFloat:
		return "number"
	case formList:
		elem := t.Elem()
		if _, short := shortField(elem); short {
			return "one or a list"
		}
		if formOf(elem, f.kind) == formText {
			return "one " + valueWord(elem, f) + " or a list"
		}
		return "list"
	case formMap, formStruct:
		if f.word != "" {
			return "mapping or `" + f.word + "`"
		}
		return "mapping"
	case formAny:
		return "any"
	}
	return words[formOf(t, f.kind)]
}

func defaultWord(v reflect.Value, f field) string {
	switch text, ok := defaultOf(v, f); {
	case f.required:
		return "required"
	case f.fallback != "":
		return f.fallback
	case ok:
		return fmt.Sprintf("`%v`", text)
	case f.name == "api_key":
		return "required, or api_key_file"
	}
	return ""
}
