package crashtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"kbsyncd/internal/kb"
)

// vendor serves a simulated vendor over HTTP, through the gate of its world.
type vendor struct {
	store
	*gate

	url     string
	kinds   []kind
	foreign map[string]remote // what must stay as it is
	theirs  string            // what agents were given by others
}

func newVendor(t *testing.T, s store, g *gate) *vendor {
	v := &vendor{store: s, gate: g, kinds: s.kinds(), foreign: map[string]remote{}}
	srv := httptest.NewServer(v)
	v.url = srv.URL
	t.Cleanup(func() {
		v.Close()
		srv.CloseClientConnections()
		srv.Close()
	})
	v.theirs = v.assignments(v.foreign)
	return v
}

// ServeHTTP implements http.Handler. A request whose sender dies before all of it was sent has no effect.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.through(kindOf(v.kinds, r), func() {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		v.store.ServeHTTP(w, r)
	})
}

// sight is what is searchable of our documents at a vendor, but for what is on its way out.
type sight struct {
	keys  map[kb.KeyHash][]string // the marks of what each key has
	marks map[string]bool         // all of them
}

func (v *vendor) sight(scope kb.Scope) sight {
	s := sight{keys: map[kb.KeyHash][]string{}, marks: map[string]bool{}}
	for _, r := range v.documents() {
		m, _, ok := kb.ParseName(r.name)
		if !ok || m.Scope != scope || !r.live || r.gone {
			continue
		}
		s.keys[m.Key] = append(s.keys[m.Key], marks(r.content)...)
		for _, mark := range marks(r.content) {
			s.marks[mark] = true
		}
	}
	return s
}

// keeps tells whether a key, or else all that it had, is searchable: who was about to rename a document may go on.
func (s sight) keeps(key kb.KeyHash, had []string) bool {
	_, ok := s.keys[key]
	return ok || !slices.ContainsFunc(had, func(mark string) bool { return !s.marks[mark] })
}
