package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// shape is an object of the report: the kind of each field, and the shape of the elements of lists.
type shape struct {
	fields map[string]string // number, string, bool, list
	optional,
	elements map[string]shape
}

func fields(kindsByName ...string) map[string]string {
	out := map[string]string{}
	for _, f := range kindsByName {
		kind, names, _ := strings.Cut(f, " ")
		for name := range strings.FieldsSeq(names) {
			out[name] = kind
		}
	}
	return out
}

// reportShape is the contract of --report, written down once more.
var reportShape = shape{
	fields: fields("number version duration_ms exit_code", "string started_at outcome", "bool dry_run", "list syncs"),
	elements: map[string]shape{"syncs": {
		fields: fields("string sync target outcome error",
			"number documents uploaded replaced renamed deleted adopted unchanged assigned unassigned orphans requests bytes_sent",
			"list changes skipped pending held failed"),
		optional: map[string]shape{"sources": sourcesShape, "notes": {}},
		elements: map[string]shape{
			"changes": {fields: fields("string action document", "number bytes parts"), optional: map[string]shape{"from": {}, "documents": {}}},
			"skipped": {fields: fields("string document reason")},
			"pending": {fields: fields("string document status")},
			"held":    {fields: fields("string document reason")},
			"failed":  {fields: fields("string document error", "number attempts")},
		},
	}},
}

// sourcesShape is what looking at sources cost, which reports of syncs with sources that are far away tell besides.
var sourcesShape = shape{
	fields:   fields("string source", "number requests not_modified bytes_received duration_ms", "list pages"),
	elements: map[string]shape{"pages": {fields: fields("string document", "number bytes requests duration_ms")}},
}

// check finds what differs from the contract: a field too many, too few, or of another kind. A list that is null is.
func (s shape) check(at string, v any) []string {
	obj, ok := v.(map[string]any)
	if !ok {
		return []string{at + " is no object"}
	}
	var bad []string
	for name, kind := range s.fields {
		got := "missing"
		switch x := obj[name].(type) {
		case json.Number:
			got = "number"
		case string:
			got = "string"
		case bool:
			got = "bool"
		case []any:
			got = "list"
			for i, e := range x {
				bad = append(bad, s.elements[name].check(fmt.Sprintf("%s.%s[%d]", at, name, i), e)...)
			}
		}
		if got != kind {
			bad = append(bad, fmt.Sprintf("%s.%s is %s instead of a %s", at, name, got, kind))
		}
	}
	for name, v := range obj {
		sub, optional := s.optional[name]
		if !optional && s.fields[name] == "" {
			bad = append(bad, at+"."+name+" is not part of the contract")
		}
		if list, ok := v.([]any); ok && optional && sub.fields != nil {
			for i, e := range list {
				bad = append(bad, sub.check(fmt.Sprintf("%s.%s[%d]", at, name, i), e)...)
			}
		}
	}
	return bad
}

func parseJSON(ts *testscript.TestScript, file string) any {
	dec := json.NewDecoder(bytes.NewReader([]byte(ts.ReadFile(file))))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		ts.Fatalf("%s: %v", file, err)
	}
	if dec.More() {
		ts.Fatalf("%s: there is something behind the JSON", file)
	}
	return v
}

func cmdJSON(ts *testscript.TestScript, args []string) {
	need(ts, args, 1)
	parseJSON(ts, args[0])
}

func cmdReport(ts *testscript.TestScript, args []string) {
	need(ts, args, 1)
	v := parseJSON(ts, args[0])
	if bad := reportShape.check("report", v); len(bad) > 0 {
		ts.Fatalf("%s", strings.Join(bad, "\n"))
	}
	report := v.(map[string]any)
	started, err := time.Parse(time.RFC3339, report["started_at"].(string))
	if err != nil || time.Since(started) > time.Hour || !strings.HasSuffix(report["started_at"].(string), "Z") {
		ts.Fatalf("started_at is %v", report["started_at"])
	}
	if report["version"] != json.Number("1") {
		ts.Fatalf("version is %v", report["version"])
	}
	for _, want := range args[1:] {
		name, value, _ := strings.Cut(want, "=")
		got := lookUp(ts, report, name)
		if list, ok := got.([]any); ok && isNumber(value) {
			got = len(list)
		}
		if s := fmt.Sprint(got); s != value {
			ts.Fatalf("%s is %v, not %s\n%s", name, s, value, ts.ReadFile(args[0]))
		}
	}
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// lookUp finds FIELD of the report, or SYNC.FIELD of the sync's entry; SYNC may be SYNC@TARGET.
func lookUp(ts *testscript.TestScript, report map[string]any, name string) any {
	where := report
	if sync, field, ok := strings.Cut(name, "."); ok {
		sync, target, _ := strings.Cut(sync, "@")
		entries := report["syncs"].([]any)
		i := slices.IndexFunc(entries, func(e any) bool {
			x := e.(map[string]any)
			return x["sync"] == sync && (target == "" || x["target"] == target)
		})
		if i < 0 {
			ts.Fatalf("the report has no sync %s", sync)
		}
		where, name = entries[i].(map[string]any), field
	}
	v, ok := where[name]
	if !ok {
		ts.Fatalf("no field %s; there are %v", name, slices.Sorted(maps.Keys(where)))
	}
	return v
}
