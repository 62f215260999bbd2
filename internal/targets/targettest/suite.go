package targettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

// Fixture is a target with the vendor behind it, made anew for every case. It is made inside a synctest bubble, so
// client and vendor must talk through memory (Serve), and everything must be closed by t.Cleanup.
type Fixture struct {
	Target  targets.Target
	Backend Backend
	Secret  string        // the key, which must show nowhere
	Logs    func() string // everything logged so far, at the debug level; may be nil
	Retries bool          // the target repeats requests itself; false for the in-memory one
	Small   bool          // fewer documents, for variants of a vendor
}

// Backend is the vendor's side.
type Backend interface {
	// Documents is everything in the store.
	Documents() []Stored
	// Put adds a document of somebody else.
	Put(name string, content []byte) targets.RemoteID
	// Requests counts all requests so far.
	Requests() int
	// Violations lists what the client did against the vendor's rules.
	Violations() []string
	// Inject adds a fault; false says that this vendor cannot have it, and the case is skipped.
	Inject(f Fault) bool
	// Heal removes all faults.
	Heal()
}

// Agents is the backend of a target that is a Linker.
type Agents interface {
	AddAgent(id string)         // an agent without a store
	ConnectElsewhere(id string) // an agent that uses another store
	Linked(id string) bool      // it uses the store of the fixture
}

// AgentDocuments is the backend of a target that is an Assigner.
type AgentDocuments interface {
	AddAgent(id string)                     // an agent that holds nothing
	Held(agent string) []targets.RemoteID   // what it holds
	Give(agent string, id targets.RemoteID) // as somebody else would
}

// AgentHistory is the backend of an Assigner that remembers what its agents have held.
type AgentHistory interface {
	HeldSoFar(agent string) []map[targets.RemoteID]bool // after every change, oldest first
}

// LiveVersions is the backend of a Replacer that knows which version agents find.
type LiveVersions interface {
	Live(name, content string) bool
}

// Fault is one way in which a vendor misbehaves.
type Fault struct {
	Op          string        // one of the Op constants; "" for every request
	Times       int           // how many requests it hits; 0 stands for all until Heal
	Status      int           // the answer's status
	RetryAfter  string        // the header
	Body        string        // the answer's body; "" for an ordinary one
	AfterEffect bool          // the request takes effect first
	Drop        bool          // the connection is closed without an answer
	Cut         bool          // the answer ends in the middle
	Delay       time.Duration // the answer waits
	Reject      string        // uploads of documents with this name are refused
	Chance      float64       // requests fail before or after their effect with this probability
}

// Run runs every case against a target.
func Run(t *testing.T, newFixture func(t *testing.T) Fixture) {
	t.Helper()
	all := slices.Concat(basics, failures, extras, replacing, assigning, leaving, linking)
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &env{T: t, Fixture: newFixture(t)}
				t.Cleanup(func() { _ = e.Target.Close() })
				c.run(e)
				e.checkSecret()
				e.checkViolations()
			})
		})
	}
}

type testCase struct {
	name string
	run  func(*env)
}

// env is what a case works with.
type env struct {
	*testing.T
	Fixture
	seen []string // every error so far
}

func (e *env) note(err error) error {
	if err != nil {
		e.seen = append(e.seen, err.Error(), fmt.Sprintf("%+v", err))
	}
	return err
}

func (e *env) checkSecret() {
	e.Helper()
	if e.Secret == "" {
		return
	}
	all := strings.Join(e.seen, "\n")
	if e.Logs != nil {
		all += e.Logs()
	}
	if strings.Contains(all, e.Secret) {
		e.Error("the key shows in an error or a log")
	}
}

func (e *env) checkViolations() {
	e.Helper()
	if v := e.Backend.Violations(); len(v) > 0 {
		e.Errorf("rules broken: %q", v)
	}
}

// inject adds a fault or skips the case.
func (e *env) inject(f Fault) {
	e.Helper()
	if !e.Backend.Inject(f) {
		e.Skipf("no such fault here: %+v", f)
	}
}

func (e *env) connect() {
	e.Helper()
	st, err := e.Target.Connect(e.Context(), true)
	if e.note(err) != nil {
		e.Fatalf("connect: %v", err)
	}
	if st.ID == "" {
		e.Fatal("connect with create gave no store")
	}
}

// doc makes a rendition whose name is built as the engine builds it.
func doc(key, content string) targets.Rendition { return docWithin(255, key, content) }

func docWithin(nameBytes int, key, content string) targets.Rendition {
	k := kb.Key("src/" + key)
	sum := kb.Sum([]byte(content))
	m := kb.Mark{Scope: kb.NewScope("test", "suite"), Key: k.Hash(), Hash: sum.Short()}
	return targets.Rendition{
		Document: k, Name: kb.RemoteName(k, m, ".md", nameBytes), Size: int64(len(content)), Digest: sum, MediaType: "text/markdown",
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}
}

func docs(n int, tag string) []targets.Rendition {
	out := make([]targets.Rendition, n)
	for i := range out {
		out[i] = doc(fmt.Sprintf("%s/file-%04d.md", tag, i), fmt.Sprintf("# %s %d\n\ntext\n", tag, i))
	}
	return out
}

func content(r targets.Rendition) []byte {
	rc, err := r.Open(context.Background())
	if err != nil {
		return nil
	}
	defer func() { _ = rc.Close() }()
	b, _ := io.ReadAll(rc)
	return b
}

// upload sends everything in batches within the limits.
func (e *env) upload(ctx context.Context, all []targets.Rendition) []targets.Result {
	e.Helper()
	var out []targets.Result
	for batch := range slices.Chunk(all, e.Target.Limits().BatchFiles) {
		res, err := e.Target.Upload(ctx, batch)
		_ = e.note(err)
		if len(res) != len(batch) {
			e.Fatalf("upload of %d gave %d results (%v)", len(batch), len(res), err)
		}
		for _, r := range res {
			_ = e.note(r.Err)
			if r.Err == nil && r.ID == "" {
				e.Fatal("an upload without error has no id")
			}
		}
		out = append(out, res...)
	}
	return out
}

func (e *env) mustUpload(all ...targets.Rendition) []targets.RemoteID {
	e.Helper()
	var ids []targets.RemoteID
	for i, r := range e.upload(e.Context(), all) {
		if r.Err != nil {
			e.Fatalf("upload of %s: %v", all[i].Name, r.Err)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

// list is what is listed and in use.
func (e *env) list() (map[targets.RemoteID]targets.Remote, error) {
	out, err := e.listAll()
	maps.DeleteFunc(out, func(_ targets.RemoteID, r targets.Remote) bool { return r.Retired })
	return out, err
}

func (e *env) listAll() (map[targets.RemoteID]targets.Remote, error) {
	out := map[targets.RemoteID]targets.Remote{}
	err := e.Target.List(e.Context(), func(r targets.Remote) error {
		if r.ID == "" {
			e.Error("a listed document has no id")
		}
		out[r.ID] = r
		return nil
	})
	return out, e.note(err)
}

func (e *env) mustList() map[targets.RemoteID]targets.Remote {
	e.Helper()
	m, err := e.list()
	if err != nil {
		e.Fatalf("list: %v", err)
	}
	return m
}

// mustDelete tells whether the documents stay at the vendor, out of use.
func (e *env) mustDelete(ids ...targets.RemoteID) (left bool) {
	e.Helper()
	res, err := e.Target.Delete(e.Context(), ids)
	if e.note(err) != nil {
		e.Fatalf("delete: %v", err)
	}
	for _, r := range res {
		if e.note(r.Err) != nil {
			e.Fatalf("delete %s: %v", r.ID, r.Err)
		}
		left = left || r.Left
	}
	return left
}

// stored is what is in the store and in use.
func (e *env) stored() []Stored {
	return slices.DeleteFunc(e.Backend.Documents(), func(d Stored) bool { return d.Retired })
}

// copies counts the documents in the store that are this rendition.
func (e *env) copies(r targets.Rendition) int {
	want, _, _ := kb.ParseName(r.Name)
	n := 0
	for _, d := range e.stored() {
		if m, _, ok := kb.ParseName(d.Name); ok && m == want {
			n++
		}
	}
	return n
}

// exactly checks that each rendition is in the store once, under its name and byte by byte.
func (e *env) exactly(all ...targets.Rendition) {
	e.Helper()
	byName := map[string][]Stored{}
	for _, d := range e.stored() {
		byName[d.Name] = append(byName[d.Name], d)
	}
	for _, r := range all {
		switch got := byName[r.Name]; {
		case e.copies(r) != 1 || len(got) != 1:
			e.Errorf("%s is in the store %d times, %d times under its name", r.Name, e.copies(r), len(got))
		case !bytes.Equal(got[0].Content, content(r)):
			e.Errorf("%s has other bytes in the store", r.Name)
		}
	}
}

// atMostOnce checks what must hold while faults go on.
func (e *env) atMostOnce(all ...targets.Rendition) {
	e.Helper()
	for _, r := range all {
		if n := e.copies(r); n > 1 {
			e.Errorf("%s is in the store %d times", r.Name, n)
		}
	}
}

// classed checks that an error belongs to the vocabulary.
func (e *env) classed(err error) {
	e.Helper()
	for _, class := range []error{
		fault.ErrNotFound, fault.ErrDenied, fault.ErrRejected, fault.ErrTooLarge, fault.ErrConflict, fault.ErrQuota, fault.ErrUnknown,
		fault.ErrChanged, fault.ErrUnsupported, fault.ErrIncomplete, fault.ErrSetup, fault.ErrUnavailable, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, class) {
			return
		}
	}
	if _, ok := errors.AsType[*fault.RetryAfter](err); !ok {
		e.Errorf("the error has no class: %v", err)
	}
}
