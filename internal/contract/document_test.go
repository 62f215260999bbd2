package contract_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/contract"
)

func TestWhatIsNoDocument(t *testing.T) {
	for what, text := range map[string]string{
		"nothing":        "",
		"blanks":         " \n\t",
		"page":           "<!DOCTYPE html><html>openapi</html>",
		"text":           "openapi is great",
		"list":           `["openapi"]`,
		"cut short":      `{"openapi":"3.0.0","paths":{`,
		"swagger":        `{"swagger":"2.0","paths":{"/a":{"get":{}}}}`,
		"number":         `{"openapi":3,"paths":{"/a":{"get":{}}}}`,
		"later":          `{"openapi":"4.0.0","paths":{"/a":{"get":{}}}}`,
		"no paths":       `{"openapi":"3.0.0"}`,
		"paths of text":  `{"openapi":"3.0.0","paths":"x"}`,
		"no requests":    `{"openapi":"3.0.0","paths":{"/a":{"get":[]},"/b":null,"c":{"get":{}}}}`,
		"broken yaml":    "openapi: 3.0.0\npaths: [",
		"yaml of itself": "openapi: 3.0.0\npaths: &a { /a: *a }",
		"yaml bomb":      bomb(),
	} {
		if doc, err := contract.Parse([]byte(text)); err == nil {
			t.Errorf("%s: %+v", what, doc)
		}
	}
}

// bomb is YAML whose aliases multiply.
func bomb() string {
	var b strings.Builder
	b.WriteString("openapi: 3.0.0\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range 12 {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	return b.String() + "paths: { /a: { get: {} } }\n"
}

// One thing of the wrong kind spoils only itself.
func TestWrongKinds(t *testing.T) {
	doc := parse(t, `{"openapi":"3.1.0","servers":{"url":"/x"},"paths":{
		"/Room":{"get":{"tags":"Room","parameters":{"in":"query"},"summary":[1]},
			"post":{"tags":[1,null],"requestBody":{"content":{"application/json":{"schema":{"properties":[1],"required":7,"allOf":{"a":1}}}}}}},
		"/Room/{id}/book":{"post":{"requestBody":7,"parameters":[null,7,{"in":7},{"$ref":7},{"$ref":"#/nowhere"}]}},
		"/Room/{id}/book/{b}":{"$ref":"#/components/pathItems/Book"},"/Room/{id}/book/{b}/text":{"get":{"parameters":{}}},
		"/Room/{id}/book/index":{"post":{"requestBody":{"$ref":"https://evil.example/body.json"}}},
		"/Room/{id}/book/stop-indexing":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A~1B%20C"}}}}}}},
		"components":{"pathItems":{"Book":{"patch":{},"delete":{}}},"schemas":{"A/B C":{"properties":{"ids":true}}}}}`)
	got := texts(contract.Compare(doc, rooms()))
	want := []string{
		"book_update: the client sends the field name with PATCH /Room/{id}/book/{b}; the document has none",
		"book_stop: the client sends the field bookIds with POST /Room/{id}/book/stop-indexing; the document has ids",
	}
	list := "room_list: the client sends the parameter "
	want = append([]string{
		list + "PageNumber with GET /Room; the document has none", list + "PageSize with GET /Room; the document has none",
	}, want...)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
}

// hostile are documents that would take long, or for ever, if they were believed.
func hostile() map[string]string {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(format, "#N", fmt.Sprint(i)))
		}
		return b.String()
	}
	body := func(schema string) string {
		return `"requestBody":{"content":{"application/json":{"schema":` + schema + `}}}`
	}
	with := func(paths, schemas string) string {
		return `{"openapi":"3.0.0","paths":{` + paths + `},"components":{"schemas":{` + schemas + `}}}`
	}
	one := func(schemas string) string {
		return with(`"/Room":{"post":{`+body(`{"$ref":"#/components/schemas/S0"}`)+`}}`, schemas)
	}
	var tower strings.Builder
	for i := range 60 {
		fmt.Fprintf(&tower, `"S%d":{"allOf":[%s]},`, i, many(8, fmt.Sprintf(`{"$ref":"#/components/schemas/S%d"}`, i+1)))
	}
	return map[string]string{
		"circle of references": one(`"S0":{"$ref":"#/components/schemas/S1"},"S1":{"$ref":"#/components/schemas/S0"}`),
		"schema within itself": one(`"S0":{"properties":{"name":{}},"allOf":[{"$ref":"#/components/schemas/S0"},{"$ref":"#/components/schemas/S0"}]}`),
		"tower":                one(tower.String() + `"S60":{"properties":{"name":{}}}`),
		"chain":                one(many(5000, `"S#N":{"$ref":"#/components/schemas/S#N#N"}`)),
		"wide":                 one(`"S0":{"required":[` + many(50_000, `"p#N"`) + `],"properties":{` + many(50_000, `"p#N":{}`) + `}}`),
		"one wide schema for all": with(many(5_000, `"/p#N":{"post":{`+body(`{"$ref":"#/components/schemas/S0"}`)+`}}`),
			`"S0":{"properties":{`+many(20_000, `"p#N":{}`)+`}}`),
		"one path for all": with(many(30_000, `"/p#N":{"$ref":"#/components/schemas/S0"}`),
			`"S0":{"get":{"tags":[`+many(20_000, `"t#N"`)+`]},"parameters":[`+many(20_000, `{"in":"query","name":"q#N"}`)+`]}`),
		"long pointer": with(`"/p0":{"get":{}},`+many(5_000, `"/p#N":{"$ref":"#`+strings.Repeat("/components", 100)+`"}`), ""),
		"deep":         one(`"S0":` + strings.Repeat(`{"allOf":[`, 4000) + "{}" + strings.Repeat(`]}`, 4000)),
		"deep lists":   one(`"S0":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000)),
		"too deep":     strings.Repeat(`{"a":`, 1_000_000),
		"many values":  `{"openapi":"3.0.0","x":[` + strings.Repeat("[],", 3_000_000) + `0],"paths":{"/a":{"get":{}}}}`,
		"huge":         `{"openapi":"3.0.0","x":"` + strings.Repeat("x", 10_000_001) + `","paths":{"/a":{"get":{}}}}`,
		"long path":    with(`"/`+strings.Repeat("a/", 100_000)+`b":{"get":{}},"/`+strings.Repeat("x", 1_000_000)+`":{"get":{}}`, ""),
		"many likely":  with(many(10_000, `"/Room/{id}/books#N/index":{"post":{"tags":["Book"],"summary":"Index books"}}`), ""),
	}
}

func TestHostileDocuments(t *testing.T) {
	for what, text := range hostile() {
		t.Run(what, func(t *testing.T) {
			began := time.Now()
			doc, err := contract.Parse([]byte(text))
			if err == nil {
				r := contract.Compare(doc, rooms())
				for name, route := range r.Routes() {
					t.Errorf("%s becomes %s", name, route)
				}
			}
			if took := time.Since(began); took > time.Minute { // seconds are a busy machine, minutes are a trap
				t.Errorf("took %s", took)
			}
		})
	}
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"openapi":"3.0.0","paths":{"/Room/{a}/books/index":{"post":{"tags":["Book"],"summary":"Index"}}}}`))
	f.Add([]byte("openapi: 3.0.0\npaths:\n  /Room/{a}/of/{b}: { delete: { summary: Delete a book } }\n"))
	f.Add([]byte(`{"openapi":"3.0.0","paths":{"/Room":{"post":{"requestBody":{"$ref":"#/x"}}}},"x":{"$ref":"#/x"}}`))
	for _, text := range hostile() {
		if len(text) < 10_000 {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := contract.Parse(data)
		if err != nil {
			return
		}
		c := rooms()
		r, again := contract.Compare(doc, c), contract.Compare(doc, c)
		if a, b := encode(t, r), encode(t, again); a != b {
			t.Fatalf("two results: %s and %s", a, b)
		}
		for _, a := range c.Routes {
			route, replaced := r.Routes()[a.Name]
			if !replaced {
				continue
			}
			method, path, _ := strings.Cut(route, " ")
			switch {
			case !a.Guessed:
				t.Fatalf("%s is documented and becomes %s", a.Name, route)
			case !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "?#\\%@: \n") || strings.Contains(path, "/.."):
				t.Fatalf("%s becomes %q", a.Name, route)
			case (method == http.MethodGet) != (a.Method == http.MethodGet):
				t.Fatalf("%s becomes %s", a.Name, route)
			}
			for _, p := range []string{"{roomId}", "{bookId}"} {
				if strings.Count(a.Path, p) != strings.Count(path, p) {
					t.Fatalf("%s becomes %s", a.Name, route)
				}
			}
		}
	})
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
