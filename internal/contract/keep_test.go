package contract_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/contract"
)

// memory is a contract.Memory that may refuse.
type memory struct {
	values map[string][]byte
	broken bool
}

func (m *memory) Recall(key string) ([]byte, error) {
	if m.broken {
		return nil, errors.New("broken")
	}
	return m.values[key], nil
}

func (m *memory) Remember(key string, value []byte) error {
	if m.broken {
		return errors.New("broken")
	}
	m.values[key] = value
	return nil
}

const (
	movedOnce  = `{"openapi":"3.0.0","paths":{"/rooms":{"get":{"summary":"List rooms"}}}}`
	movedTwice = `{"openapi":"3.0.0","paths":{"/all-rooms":{"get":{"summary":"List rooms"}}}}`
)

// bench is a file with a document and a way to follow it.
type bench struct {
	t    *testing.T
	file string
	logs bytes.Buffer
	c    contract.Contract
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, file: filepath.Join(t.TempDir(), "openapi.json"), c: rooms()}
	b.c.Auto, b.c.Where = true, b.file
	b.c.Routes = b.c.Routes[:1]
	b.c.Routes[0].Tags = nil
	b.put(movedOnce)
	return b
}

func (b *bench) put(text string) {
	if err := os.WriteFile(b.file, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) follower(m contract.Memory) *contract.Follower {
	return &contract.Follower{Contract: b.c, Memory: m, Log: slog.New(slog.NewTextHandler(io.Writer(&b.logs), nil))}
}

func (b *bench) want(f *contract.Follower, route string) {
	b.t.Helper()
	want := map[string]string{"room_list": route}
	if route == "" {
		want = nil
	}
	if got := f.Routes(b.t.Context()); !maps.Equal(got, want) {
		b.t.Errorf("got %v, want %q", got, route)
	}
}

func TestDocumentIsLoadedOnceADay(t *testing.T) {
	for what, m := range map[string]contract.Memory{"memory": &memory{values: map[string][]byte{}}, "none": nil, "broken": &memory{broken: true}} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				f := b.follower(m)
				b.want(f, "GET /rooms")
				b.put(movedTwice)
				time.Sleep(23 * time.Hour)
				b.want(f, "GET /rooms")
				if what == "memory" { // another process
					b.want(b.follower(m), "GET /rooms")
				}
				time.Sleep(2 * time.Hour)
				b.want(f, "GET /all-rooms")
			})
		})
	}
}

func TestDocumentThatCannotBeHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		m := &memory{values: map[string][]byte{}}
		b.put("<html>")
		b.want(b.follower(m), "") // the known routes stand
		b.put(movedOnce)
		b.want(b.follower(m), "") // it is left alone for a while
		if n := strings.Count(b.logs.String(), "level=WARN"); n != 1 || !strings.Contains(b.logs.String(), "the known routes stand") {
			t.Errorf("log: %s", b.logs.String())
		}
		time.Sleep(61 * time.Minute)
		b.want(b.follower(m), "GET /rooms")
		if err := os.Remove(b.file); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Hour)
		b.want(b.follower(m), "GET /rooms") // what was learnt last stands
		b.want(b.follower(m), "GET /rooms")
		if n := strings.Count(b.logs.String(), "level=WARN"); n != 2 {
			t.Errorf("log: %s", b.logs.String())
		}
	})
}

// What check finds is what the next pass uses.
func TestProbeIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		m := &memory{values: map[string][]byte{}}
		running := b.follower(m)
		b.want(running, "GET /rooms")
		b.put(movedTwice)
		time.Sleep(time.Minute)
		if r, err := b.follower(m).Probe(t.Context()); err != nil || r.Agree != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		b.want(running, "GET /all-rooms")
		b.want(b.follower(m), "GET /all-rooms")

		// Other assumptions, another place: what was remembered says nothing about them.
		b.put(movedOnce)
		b.c.Base = "https://another.example.com"
		b.want(b.follower(m), "GET /rooms")

		// What only compares remembers nothing.
		before := len(m.values)
		b.c.Auto = false
		b.c.Base = "https://third.example.com"
		if _, err := b.follower(m).Probe(t.Context()); err != nil || len(m.values) != before {
			t.Errorf("%d values, %v", len(m.values), err)
		}
	})
}

func TestMemoryOfNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		m := &memory{values: map[string][]byte{}}
		b.want(b.follower(m), "GET /rooms")
		for key := range m.values {
			for _, value := range []string{"", "[]", `{"tried":"never"}`, `{"tried":"2999-01-01T00:00:00Z","routes":null}`} {
				m.values[key] = []byte(value)
				b.want(b.follower(m), "GET /rooms")
			}
		}
	})
}
