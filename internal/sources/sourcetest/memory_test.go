package sourcetest_test

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	sourcetest.Run(t, func(*testing.T) sourcetest.Fixture {
		m := sourcetest.NewMemory("mem")
		return sourcetest.Fixture{
			Name: "mem", Source: m, Put: m.Put, Remove: m.Remove, Rename: m.Rename, Opens: m.Opens,
			OddPaths: []string{"\\xff.md"},
			Break: func() func() {
				m.FailScan(1, fault.New(fault.ErrIncomplete, "broken"))
				return func() { m.FailScan(0, nil) }
			},
			AddProblem: func() kb.Key {
				m.AddProblem("pipe", fault.New(fault.ErrUnsupported, "is a pipe"), false)
				return "mem/pipe"
			},
		}
	})
}

func TestMemoryHooks(t *testing.T) {
	m := sourcetest.NewMemory("mem")
	m.Put("a", []byte("abcd"))
	d := sourcetest.Scan(t, m).Documents[0]
	m.OnRead("a", func() { m.Put("a", []byte("new")) })
	if _, _, err := sourcetest.Read(t.Context(), d); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("changed while read: %v", err)
	}
	l := sourcetest.Scan(t, m)
	m.SetDoubtful("a", true)
	if got, doubtful, err := sourcetest.Read(t.Context(), l.Documents[0]); err != nil || !doubtful || string(got) != "new" {
		t.Errorf("read %q, %v, %v", got, doubtful, err)
	}
	known := l.Known(m.Identity())
	m.SetIdentity("elsewhere")
	if err := m.Scan(t.Context(), known, &sourcetest.Listing{}); err != nil {
		t.Errorf("moved with its documents: %v", err)
	}
	m.Remove("a")
	if err := m.Scan(t.Context(), known, &sourcetest.Listing{}); !errors.Is(err, fault.ErrIncomplete) {
		t.Errorf("another place: %v", err)
	}
	if err := m.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{}); err != nil {
		t.Errorf("nothing known: %v", err)
	}
}
