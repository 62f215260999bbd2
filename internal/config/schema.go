package config

import (
	"encoding/json"
	"reflect"
	"time"
)

const schemaID = "https://json-schema.org/draft/2020-12/schema"

type object = map[string]any

// Schema is the JSON Schema (draft 2020-12) of the configuration file, for editors and other checkers. It is
// made from the same structs that Load fills. It cannot say everything that Load checks.
func Schema(kinds Kinds) ([]byte, error) {
	g := &generator{kinds: kinds, defs: object{
		"variable": object{
			"description": "A value from the environment: ${VAR} or ${VAR:-default}.",
			"type":        "string", "pattern": `\$\{[A-Za-z_]`,
		},
	}}
	root := g.structure(newValue(reflect.TypeFor[document]()), "")
	root["$schema"] = schemaID
	root["title"] = "kbsync.yaml"
	root["description"] = "Configuration of kbsyncd."
	root["$defs"] = g.defs
	return json.MarshalIndent(root, "", "  ")
}

// generator walks the structs with their defaults.
type generator struct {
	kinds Kinds
	defs  object
}

var variable = object{"$ref": "#/$defs/variable"}

// structure is the schema of a mapping with known keys. Kind is the value of its key "type", if it has one.
func (g *generator) structure(v reflect.Value, kind string) object {
	properties, required := object{}, []string{}
	out := object{"type": "object", "additionalProperties": false, "properties": properties}
	if kind != "" {
		properties["type"] = object{"const": kind}
		required = append(required, "type")
	}
	for _, f := range fieldsOf(v.Type()) {
		s := g.value(v.FieldByIndex(f.index), f)
		if f.doc != "" {
			s["description"] = f.doc
		}
		properties[f.name] = s
		if f.required {
			required = append(required, f.name)
		}
		if f.typ == secretType && f.name == "api_key" {
			out["oneOf"] = []object{{"required": []string{f.name}}, {"required": []string{f.name + "_file"}}}
		}
	}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func (g *generator) value(v reflect.Value, f field) object {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v = newValue(v.Type().Elem())
		} else {
			v = v.Elem()
		}
	}
	s := g.form(v, f)
	if text, ok := defaultOf(v, f); ok {
		s["default"] = text
	}
	return s
}

func (g *generator) form(v reflect.Value, f field) object {
	switch formOf(v.Type(), f.kind) {
	case formSecret:
		return object{"type": "string", "minLength": 1}
	case formBool:
		return object{"anyOf": []object{{"type": "boolean"}, variable}}
	case formInt:
		return object{"anyOf": []object{{"type": "integer"}, variable}}
	case formFloat:
		return object{"anyOf": []object{{"type": "number"}, variable}}
	case formSize:
		return object{"anyOf": []object{{"type": "integer", "minimum": 0}, {"type": "string", "pattern": sizePattern.String()}, variable}}
	case formDuration:
		return object{"anyOf": []object{
			{"type": "string", "pattern": `^([0-9]+d)?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))*$`, "minLength": 1},
			{"const": 0}, variable,
		}}
	case formParsed:
		return object{"type": []string{"string", "number"}}
	case formText:
		if f.enum != nil {
			return object{"anyOf": []object{{"enum": f.enum}, variable}}
		}
		return object{"type": []string{"string", "number", "boolean"}}
	case formList:
		return g.sequence(v, f)
	case formMap:
		return g.mapping(v, f)
	case formStruct:
		return g.structure(v, "")
	case formChoice:
		return g.choice(v.Type())
	}
	return object{}
}

func (g *generator) sequence(v reflect.Value, f field) object {
	elem := newValue(v.Type().Elem())
	f.enum = nil
	item := g.form(elem, f)
	short, ok := shortField(elem.Type())
	if ok {
		item = object{"anyOf": []object{g.form(elem.FieldByIndex(short.index), short), item}}
	}
	list := object{"type": "array", "items": item}
	if f.required {
		list["minItems"] = 1
	}
	if !ok && formOf(elem.Type(), f.kind) > formParsed {
		return list
	}
	one := item
	if ok {
		one = g.form(elem.FieldByIndex(short.index), short)
	}
	return object{"anyOf": []object{one, list}}
}

func (g *generator) mapping(v reflect.Value, f field) object {
	out := object{"type": "object", "additionalProperties": g.form(newValue(v.Type().Elem()), field{})}
	if f.kind == "names" {
		out["propertyNames"] = object{"pattern": namePattern.String()}
	}
	if f.required {
		out["minProperties"] = 1
	}
	if f.word != "" {
		return object{"anyOf": []object{{"const": f.word}, variable, out}}
	}
	return out
}

// choice selects by the key "type". If-then instead of oneOf makes editors name the one wrong key.
func (g *generator) choice(t reflect.Type) object {
	family := familyOf(t)
	var names []string
	var rules []object
	for _, c := range g.kinds.choices(t) {
		id := family + "." + c.name
		def := g.structure(reflect.ValueOf(c.newConfig()).Elem(), c.name)
		def["description"] = c.summary
		g.defs[id] = def
		names = append(names, c.name)
		rules = append(rules, object{
			"if":   object{"properties": object{"type": object{"const": c.name}}, "required": []string{"type"}},
			"then": object{"$ref": "#/$defs/" + id},
		})
	}
	out := object{"type": "object", "required": []string{"type"}, "properties": object{"type": object{"enum": names}}}
	if len(rules) > 0 {
		out["allOf"] = rules
	}
	return out
}

func familyOf(t reflect.Type) string {
	if t == sourceType {
		return "source"
	}
	return "target"
}

// defaultOf is the default of a plain value as it could stand in the file.
func defaultOf(v reflect.Value, f field) (any, bool) {
	if f.fallback != "" || f.required {
		return nil, false
	}
	switch formOf(v.Type(), f.kind) {
	case formDuration:
		return formatDuration(time.Duration(v.Int())), true
	case formSize:
		return formatSize(v.Int()), v.Int() != 0
	case formBool:
		return v.Bool(), true
	case formInt:
		return v.Int(), v.Int() != 0
	case formFloat:
		return v.Float(), v.Float() != 0
	case formParsed:
		if s, ok := reflect.TypeAssert[interface{ String() string }](v); ok {
			return s.String(), true
		}
		return v.String(), v.Kind() == reflect.String
	case formText:
		return v.String(), v.String() != ""
	}
	return nil, false
}
