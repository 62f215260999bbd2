package crashtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
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

// alive are the documents of ours that have a searchable version, one that is not on its way out.
func (v *vendor) alive(scope kb.Scope) map[kb.KeyHash]string {
	out := map[kb.KeyHash]string{}
	for _, r := range v.documents() {
		if m, _, ok := kb.ParseName(r.name); ok && m.Scope == scope && r.live && !r.gone {
			out[m.Key] = r.name
		}
	}
	return out
}
