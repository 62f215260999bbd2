package contract_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/contract"
)

// rooms is a vendor that exists nowhere.
func rooms() contract.Contract {
	route := func(guessed bool, name, method, path, tag string, query, body []string) contract.Assumption {
		return contract.Assumption{Name: name, Guessed: guessed, Method: method, Path: path, Tags: []string{tag}, Query: query, Body: body}
	}
	return contract.Contract{Vendor: "rooms", Base: "https://api.example.com", Routes: []contract.Assumption{
		route(true, "room_list", "GET", "/Room", "Room", []string{"PageNumber", "PageSize"}, nil),
		route(false, "room_create", "POST", "/Room", "Room", nil, []string{"name"}),
		route(false, "book_upload", "POST", "/Room/{roomId}/book", "Book", nil, []string{"files"}),
		route(true, "book_update", "PATCH", "/Room/{roomId}/book/{bookId}", "Book", nil, []string{"name"}),
		route(true, "book_read", "GET", "/Room/{roomId}/book/{bookId}/text", "Book", nil, nil),
		route(true, "book_delete", "DELETE", "/Room/{roomId}/book/{bookId}", "Book", nil, nil),
		route(true, "book_index", "POST", "/Room/{roomId}/book/index", "Book", nil, []string{"bookIds"}),
		route(true, "book_stop", "POST", "/Room/{roomId}/book/stop-indexing", "Book", nil, []string{"bookIds"}),
	}}
}

func parse(t *testing.T, text string) *contract.Document {
	t.Helper()
	doc, err := contract.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func read(t *testing.T, name string) *contract.Document {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(data))
}

func texts(r contract.Report) (out []string) {
	for _, d := range r.Differences {
		out = append(out, d.Text)
	}
	return out
}

func TestDocumentThatAgrees(t *testing.T) {
	r := contract.Compare(read(t, "agrees.json"), rooms())
	if r.Agree != 8 || r.Of != 8 || len(r.Differences) != 0 || len(r.Routes()) != 0 {
		t.Errorf("%d of %d agree: %q", r.Agree, r.Of, texts(r))
	}
}

func TestDocumentThatDiffers(t *testing.T) {
	r := contract.Compare(read(t, "differs.yaml"), rooms())
	want := []string{
		"room_list: the client sends GET /Room; the document has GET /rooms",
		"room_list: the client sends the parameter PageNumber with GET /rooms; the document has page, pageSize",
		"room_list: the client sends the parameter PageSize with GET /rooms; the document has pageSize",
		"room_list: the document requires the parameter page with GET /rooms; the client does not send it",
		"room_create: the client sends the field name with POST /Room; the document has title",
		"room_create: the document requires the field title with POST /Room; the client does not send it",
		"book_upload: the client sends the field files with POST /Room/{room}/Book; the document has file",
		"book_update: the client sends PATCH /Room/{roomId}/book/{bookId}; the document has PUT /books/{bookId}/of-room/{roomId}",
		"book_read: the client sends GET /Room/{roomId}/book/{bookId}/text; the document has GET /Room/{room}/books/{book}/content",
		"book_delete: the client sends DELETE /Room/{roomId}/book/{bookId}; the document has DELETE /books/{bookId}/of-room/{roomId}",
		"book_index: the client sends POST /Room/{roomId}/book/index; the document has POST /Room/{room}/books/chunks",
		"book_index: the client sends the field bookIds with POST /Room/{room}/books/chunks; the document has book_ids",
		"book_stop: the client sends POST /Room/{roomId}/book/stop-indexing; the document has no such route; it may be POST /Room/{room}/book/remove-index",
	}
	if d := cmp.Diff(want, texts(r)); d != "" {
		t.Error(d)
	}
	routes := map[string]string{
		"room_list":   "GET /rooms",
		"book_update": "PUT /books/{bookId}/of-room/{roomId}",
		"book_read":   "GET /Room/{roomId}/books/{bookId}/content",
		"book_delete": "DELETE /books/{bookId}/of-room/{roomId}",
		"book_index":  "POST /Room/{roomId}/books/chunks",
	}
	if d := cmp.Diff(routes, r.Routes()); d != "" {
		t.Error(d)
	}
	if r.Agree != 0 {
		t.Errorf("%d agree", r.Agree)
	}

	// What was pasted agrees from then on, but for what no route can change.
	c := rooms()
	for i, a := range c.Routes {
		if route, ok := routes[a.Name]; ok {
			c.Routes[i].Method, c.Routes[i].Path, _ = strings.Cut(route, " ")
		}
	}
	if r := contract.Compare(read(t, "differs.yaml"), c); r.Agree != 3 || len(r.Routes()) != 0 {
		t.Errorf("pasted: %d agree, %v", r.Agree, r.Routes())
	}
}

// document makes one of operations "METHOD /path summary [field,…]", each at a path of its own.
func document(t *testing.T, operations ...string) *contract.Document {
	t.Helper()
	var b strings.Builder
	b.WriteString("openapi: 3.0.0\npaths:\n")
	for _, op := range operations {
		op, fields, hasBody := strings.Cut(op, " [")
		words := strings.SplitN(op, " ", 3)
		fmt.Fprintf(&b, "  %s:\n    %s:\n      tags: [book]\n", words[1], strings.ToLower(words[0]))
		if len(words) > 2 {
			fmt.Fprintf(&b, "      summary: %s\n", words[2])
		}
		if hasBody {
			fields = strings.ReplaceAll(strings.TrimSuffix(fields, "]"), ",", ": {}, ")
			fmt.Fprintf(&b, "      requestBody: { content: { application/json: { schema: { properties: { %s: {} } } } } }\n", fields)
		}
	}
	return parse(t, b.String())
}

// What follows is about one route that the document does not have as it is.
func TestWhatMayTakeThePlaceOfARoute(t *testing.T) {
	for what, c := range map[string]struct {
		name       string
		operations []string
		want       string
	}{
		"path":                  {"book_index", []string{"POST /room/{id}/books/index Index [bookIds]"}, "POST /room/{roomId}/books/index"},
		"case of words":         {"book_index", []string{"POST /Room/{id}/Book/reIndexing Index [bookIds]"}, "POST /Room/{roomId}/Book/reIndexing"},
		"verb":                  {"book_index", []string{"PUT /Room/{id}/book/index Index [bookIds]"}, "PUT /Room/{roomId}/book/index"},
		"stop by deleting":      {"book_stop", []string{"DELETE /Room/{id}/book/index Stop indexing [bookIds]"}, "DELETE /Room/{roomId}/book/index"},
		"delete by posting":     {"book_delete", []string{"POST /Room/{id}/book/{book}/delete Delete book"}, "POST /Room/{roomId}/book/{bookId}/delete"},
		"ids by the word":       {"book_delete", []string{"DELETE /book/{a}/room/{b} Delete"}, "DELETE /book/{bookId}/room/{roomId}"},
		"ids by their order":    {"book_delete", []string{"DELETE /Room/{a}/book/remove/{b} Delete"}, "DELETE /Room/{roomId}/book/remove/{bookId}"},
		"index by deleting":     {"book_index", []string{"DELETE /Room/{id}/book/index Index [bookIds]", "GET /x X"}, "DELETE /Room/{roomId}/book/index"},
		"deleting the index":    {"book_index", []string{"DELETE /Room/{id}/book/index Stop index [bookIds]", "GET /x X"}, ""},
		"deleting, no words":    {"book_stop", []string{"DELETE /Room/{id}/book/stop-indexing [bookIds]", "GET /x X"}, ""},
		"by its fields":         {"book_stop", []string{"POST /Room/{id}/book/halt [bookIds]", "POST /Room/{id}/book/index [bookIds]"}, "POST /Room/{roomId}/book/halt"},
		"one for two":           {"book_index", []string{"POST /Room/{id}/book/chunks [bookIds]"}, ""},
		"thing, not content":    {"book_read", []string{"GET /api/Room/{id}/book/{b} [x]"}, ""},
		"content by its path":   {"book_read", []string{"GET /Room/{id}/book/{b}/content"}, "GET /Room/{roomId}/book/{bookId}/content"},
		"something else":        {"book_stop", []string{"POST /Room/{id}/book/lend Lend books", "GET /x X"}, ""},
		"bulk deletion":         {"book_stop", []string{"DELETE /Room/{id}/book Delete books [bookIds]"}, ""},
		"bulk deletion by post": {"book_stop", []string{"POST /Room/{id}/book/delete Books [bookIds]"}, ""},
		"delete said only":      {"book_index", []string{"POST /Room/{id}/book/indexes Deletes the index of books [bookIds]"}, ""},
		"delete needs one id":   {"book_delete", []string{"DELETE /Room/{id}/book Delete book"}, ""},
		"not deleting":          {"book_delete", []string{"POST /Room/{id}/book/{b} Change a book"}, ""},
		"reading":               {"book_index", []string{"GET /Room/{id}/book/index-all Index [bookIds]"}, ""},
		"writing":               {"room_list", []string{"POST /Rooms List rooms"}, ""},
		"more ids":              {"book_index", []string{"POST /Room/{id}/book/{b}/index Index book [bookIds]"}, ""},
		"two alike":             {"book_index", []string{"POST /Room/{id}/books/index Index [bookIds]", "POST /Room/{id}/book/indexes Index [bookIds]"}, ""},
		"nothing alike":         {"book_index", []string{"POST /Invoice/{id}/send Send [bookIds]"}, ""},
		"odd characters":        {"book_index", []string{"POST /Room/{id}/books%2e/index Index [bookIds]", "POST /Room/../{id}/books/index Index [bookIds]", "GET /x X"}, ""},
		"partial placeholder":   {"book_index", []string{"POST /Room/{id}/books/index{format} Index [bookIds]", "GET /x X"}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			r := contract.Compare(document(t, c.operations...), rooms())
			if got := r.Routes()[c.name]; got != c.want {
				t.Errorf("got %q, want %q\n%s", got, c.want, strings.Join(texts(r), "\n"))
			}
			for _, d := range r.Differences {
				if d.Route != "" && (d.Name == "room_create" || d.Name == "book_upload") {
					t.Errorf("a documented route changes: %+v", d)
				}
			}
		})
	}
}

// A request of the document stands for one assumption only.
func TestOneRequestForOneAssumption(t *testing.T) {
	r := contract.Compare(document(t, "POST /Room/{id}/book/stop-index Stop [bookIds]"), rooms())
	if got := r.Routes(); len(got) != 1 || got["book_stop"] == "" {
		t.Errorf("got %v", got)
	}
	r = contract.Compare(document(t, "POST /Room/{id}/book/index Index [bookIds]"), rooms())
	if got := r.Routes(); len(got) != 0 {
		t.Errorf("a request that is used already is taken: %v", got)
	}
}

func TestPathsBelowTheBase(t *testing.T) {
	for what, c := range map[string]struct {
		base, servers, path string
		agree               int
	}{
		"plain":               {"https://a.example", "[]", "/Room", 1},
		"server":              {"https://a.example/api/v2", "[{url: https://b.example/api/v2}]", "/Room", 1},
		"relative server":     {"https://a.example/api/v2/", "[{url: /api/v2/}]", "/Room", 1},
		"in the paths":        {"https://a.example/api/v2", "[{url: https://b.example}]", "/api/v2/Room", 1},
		"half and half":       {"https://a.example/api/v2", "[{url: https://b.example/api}]", "/v2/Room", 1},
		"server only":         {"https://a.example", "[{url: https://b.example/v1}]", "/Room", 1},
		"another in the path": {"https://a.example", "[]", "/v1/Room", 0},
		"half a word":         {"https://a.example/api", "[]", "/apiRoom", 0},
		"hostile server":      {"https://a.example", `[{url: "://"}, 7, {url: [1]}]`, "/Room", 1},
	} {
		doc := parse(t, "openapi: 3.0.0\nservers: "+c.servers+"\npaths: { "+c.path+": { post: {} } }\n")
		k := rooms()
		k.Base, k.Routes = c.base, k.Routes[1:2]
		k.Routes[0].Body = nil
		if r := contract.Compare(doc, k); r.Agree != c.agree {
			t.Errorf("%s: %d agree: %q", what, r.Agree, texts(r))
		}
	}
}
