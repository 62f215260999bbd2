package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// v1Description is a third party's description of v1. It is not part of this module.
const v1Description = "shared/seeds/chatbase-v1.openapi.yaml"

// v1Watch holds every exchange with v1 against the description. It is a wrapper of a handler, so that any client may be
// sent through it.
type v1Watch struct {
	router routers.Router

	mu       sync.Mutex
	seen     int
	findings []string // what does not agree with the description
}

// newV1Watch loads the description, or skips the test when it is not there. Fields that the description does not name
// count as disagreement, though it forbids none.
func newV1Watch(t *testing.T) *v1Watch {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(findAbove(t, v1Description))
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	for _, schema := range doc.Components.Schemas {
		if schema.Value.Type.Is("object") && schema.Value.AdditionalProperties.Has == nil {
			schema.Value.AdditionalProperties.Has = &closed
		}
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &v1Watch{router: router}
}

// findAbove finds a file in this directory or one above it.
func findAbove(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if dir == filepath.Dir(dir) {
			t.Skipf("%s is not there: the third party's description of v1 cannot be compared", name)
		}
		dir = filepath.Dir(dir)
	}
}

// wrap returns a handler that validates what hits v1 on its way to next and back.
func (v *v1Watch) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isV1(r) {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		v.check(r, body, rec)
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

func (v *v1Watch) check(r *http.Request, body []byte, rec *httptest.ResponseRecorder) {
	// The description knows the vendor's address only.
	vendor, _ := http.NewRequestWithContext(r.Context(), r.Method, "https://www.chatbase.co"+r.URL.RequestURI(), bytes.NewReader(body))
	vendor.Header = r.Header.Clone()
	var found []string
	note := func(what string, err error) {
		for _, reason := range reasons(err) {
			found = append(found, what+": "+reason)
		}
	}
	route, params, err := v.router.FindRoute(vendor)
	note("route", err)
	if err == nil {
		in := &openapi3filter.RequestValidationInput{
			Request: vendor, PathParams: params, Route: route,
			Options: &openapi3filter.Options{
				MultiError: true, IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true, AuthenticationFunc: wantBearer,
			},
		}
		note("request", openapi3filter.ValidateRequest(r.Context(), in))
		out := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Options: in.Options,
		}
		note("response", openapi3filter.ValidateResponse(r.Context(), out.SetBodyBytes(rec.Body.Bytes())))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen++
	v.findings = append(v.findings, found...)
}

// reasons are the single findings in what a validation returned.
func reasons(err error) (out []string) {
	if several, ok := errors.AsType[openapi3.MultiError](err); ok {
		for _, one := range several {
			out = append(out, reasons(one)...)
		}
		return out
	}
	if schema, ok := errors.AsType[*openapi3.SchemaError](err); ok {
		return []string{schema.Reason}
	}
	if err != nil {
		out = append(out, err.Error())
	}
	return out
}

func wantBearer(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	if !strings.HasPrefix(in.RequestValidationInput.Request.Header.Get("Authorization"), "Bearer ") {
		return errors.New("no bearer token")
	}
	return nil
}

// take returns the findings so far and forgets them.
func (v *v1Watch) take() (findings []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	findings, v.findings = v.findings, nil
	return findings
}

// TestChatbaseV1AgainstDescription compares every operation with the third party's description. Where that differs from
// the vendor's documentation, the documentation wins, and the difference stands here: it must be found, and no other.
func TestChatbaseV1AgainstDescription(t *testing.T) {
	const full = `{"chatbotId":"bot","chatbotName":"Support Bot","sourceText":"x"}`
	for name, tt := range map[string]struct {
		method, path, body string
		want               int
		differences        []string // texts in the findings, one each, in their order
	}{
		"create": {"POST", v1Create, `{"chatbotName":"Second","sourceText":"x"}`, 200, nil},
		"create without a text: the description requires one, the documentation does not": {
			"POST", v1Create, `{"chatbotName":"Second"}`, 200, []string{`request: property "sourceText" is missing`},
		},
		"update":          {"POST", v1Update, full, 200, nil},
		"update, refused": {"POST", v1Update, `{"chatbotId":"bot","chatbotName":"x"}`, 400, nil},
		"update without a name: the description allows it, the documentation does not": {
			"POST", v1Update, `{"chatbotId":"bot","sourceText":"x"}`, 400, nil,
		},
		"unknown chatbot: the description has no 404, the documentation has": {
			"POST", v1Update, `{"chatbotId":"nope","chatbotName":"Support Bot"}`, 404, []string{"response: status is not supported"},
		},
		"list: the description says chatbotId, chatbotName and createdAt and has no status": {
			"GET", v1List, "", 200, []string{
				`response: property "created_at" is unsupported`, `response: property "id" is unsupported`,
				`response: property "name" is unsupported`, `response: property "status" is unsupported`,
				`response: property "updated_at" is unsupported`,
			},
		},
		"delete: the description has a JSON body, the documentation a query parameter": {
			"DELETE", v1Delete + "?chatbotId=bot", "", 200, []string{"request: request body has an error"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := newV1Watch(t)
			r := makeCBRig(t, ChatbaseOptions{})
			r.served(v.wrap(r.s))
			r.call(tt.want, tt.method, tt.path, tt.body)
			found := v.take()
			if len(found) != len(tt.differences) {
				t.Fatalf("findings %q, want %q", found, tt.differences)
			}
			for i, want := range tt.differences {
				if !strings.Contains(found[i], want) {
					t.Errorf("finding %q, want %q", found[i], want)
				}
			}
		})
	}
}

// A client's v1 exchange as it should be: read the name, send all with that name, ask until it is ready.
func TestChatbaseV1ClientExchange(t *testing.T) {
	v := newV1Watch(t)
	r := makeCBRig(t, ChatbaseOptions{ChatbotSpelling: true})
	r.served(v.wrap(r.s))
	r.auth[1] = "Bearer wrong"
	r.call(401, "GET", v1List, "")
	r.auth[1] = "Bearer " + testKey
	list := decodeInto[struct {
		Chatbots []struct{ ChatbotID, ChatbotName string }
	}](t, r.call(200, "GET", v1List, "").body)
	bot := list.Chatbots[0]
	r.call(200, "POST", v1Update, jsonText(object{"chatbotId": bot.ChatbotID, "chatbotName": bot.ChatbotName, "sourceText": "all documents"}))
	r.call(200, "GET", v1List, "")
	r.call(200, "GET", "/api/v2/agents", "")
	for _, finding := range v.take() {
		if finding != `response: property "status" is unsupported` && !strings.Contains(finding, "ed_at") { // named above
			t.Error(finding)
		}
	}
	if v.seen != 4 || !strings.Contains(fmt.Sprint(r.s.Retrieve("bot", "all documents")), bot.ChatbotName) {
		t.Fatalf("%d exchanges, bundle %+v", v.seen, r.s.Bundle("bot"))
	}
	r.wantNoViolations()

	r.call(200, "POST", v1Update, `{"chatbotId":"bot","chatbotName":"Support Bot","text":"x"}`)
	r.auth[1] = testKey
	r.call(401, "GET", v1List, "")
	if found := v.take(); len(found) != 2 || !strings.Contains(found[0], `"text" is unsupported`) || !strings.Contains(found[1], "no bearer token") {
		t.Fatalf("%q", found)
	}
}
