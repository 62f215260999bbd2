package sync

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// wave is how many documents may be unsettled before sending pauses and the vendor is waited for. It bounds memory
// and the time that an old version stays beside a new one.
const wave = 20_000

// commitChunk is how many records go into one commit that no vendor batch shapes.
const commitChunk = 1000

// holdBack is how many new documents wait for the end of the scan, in case they turn out to be renamed ones.
const holdBack = 20_000

// pass is one run over one flow. Its fields belong to the goroutine of run, but for those that scan owns until it is over.
type pass struct {
	*Engine
	flow     Flow
	opt      Options
	progress *Progress
	log      *slog.Logger
	id       state.Flow
	scope    kb.Scope
	limits   targets.Limits
	entry    *Entry

	facts     state.Facts
	stored    state.Facts // as the state holds them
	recorded  bool        // the flow was recorded before
	stateless bool        // it was not, when the pass began
	index     *index      // nil: the records are trusted
	rendering convert.Target
	rerender  bool // settings that shape renditions changed
	connected bool
	requests  int64 // the target's traffic before this pass
	bytes     int64

	// Owned by scan until the channel of render is closed.
	sources    map[string]*sourceTally
	identities map[string]string
	sourceErrs []error
	costs      []SourceCost
	notes      []string
	skips      []docError
	failures   []docError
	unchanged  int
	wanted     int  // documents given that are meant for this target
	counted    int  // of them, those that no earlier copy holds
	declined   int  // documents that the target does not take
	aside      bool // something is at the target of documents that were not given on
	base       int  // documents that the target holds, by the records

	sender     *sender
	roster     *roster        // nil: the vendor does not hand out documents one by one
	selfless   map[string]int // documents, by source, that reading showed to say themselves that they are not meant for this target
	dismissed  []gone         // documents that reading showed are not meant for this target
	slow       []*job         // files that go after the texts
	freshJobs  []*job         // held back until the scan is over
	settling   []*job
	ready      []*job // settled: to be given to agents, with older versions to retire
	cleanups   []*job // searchable and complete, with leftovers
	puts       []recordPut
	unread     map[string]bool      // sources and extensions of new documents that could not be read
	awaited    map[kb.PartHash]bool // contents (by their first part) that did not become searchable
	changed    bool                 // something at the store changed and settled
	delivered  bool                 // of a bundle: the vendor has it
	unsure     bool                 // an outcome is unknown: the next pass lists
	hopeless   bool                 // the target was stopped
	sentAt     time.Time
	searchable bool
	same       int // documents in order, found by looking closer
	refused    int // documents that reading showed the target does not take
	discounted atomic.Int64
	guarded    bool // the guard has spoken: heldKeys are all there are
	heldKeys   []kb.Key
	// What a dry run would do.
	planFiles, planRetire, planRenames int
}

type docError struct {
	key  kb.Key
	err  error
	size int64 // 0 unknown
}

type recordPut struct {
	key kb.Key
	rec state.Record
}

// job is one document on its way.
type job struct {
	doc     kb.Document
	rec     state.Record // what is written once it is sent; of its agents, whom the document names
	parts   []part
	retire  []targets.RemoteID
	drop    kb.Key // the record of the document's earlier name
	action  string // "" when nothing is sent
	from    kb.Key
	open    int  // parts without an answer, then parts that are not searchable
	existed bool // something of it was at the target before
	late    bool // it gave way to texts
	unknown bool // whether some part of it landed is unknown
	err     error
}

func (j *job) bytes() (n int64) {
	for _, p := range j.parts {
		n += p.Size
	}
	return n
}

func (p *pass) sortedSources() []Source {
	s := slices.Clone(p.flow.Sources)
	sort.Slice(s, func(i, k int) bool { return s[i].Name+"/" < s[k].Name+"/" })
	return s
}

// run is the whole pass. An error is what stopped it; documents at fault are in the entry.
func (p *pass) run(ctx context.Context) (err error) {
	if m, ok := p.flow.To.(targets.Metered); ok {
		p.requests, p.bytes = m.Traffic()
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	p.progress.stage(StageScanning)
	scanErr := p.consume(ctx)
	p.progress.ScanDone.Store(true)
	p.collect()
	if scanErr != nil && ctx.Err() == nil {
		// A damaged state or a stopped target; whatever was sent is recorded.
		return errors.Join(scanErr, p.conclude(ctx, scanErr))
	}
	if ctx.Err() == nil {
		err = p.settleUp(ctx)
	}
	if err == nil && ctx.Err() == nil {
		err = p.after(ctx)
	}
	return errors.Join(err, p.conclude(ctx, err))
}

// open reads the facts and decides whether the records are trusted; when not, it lists the store.
func (p *pass) open(ctx context.Context) (err error) {
	p.identities = map[string]string{}
	p.rendering = convert.Target{
		Accepts: p.limits.Accepts, MaxBytes: p.limits.MaxBytes, KeepFrontMatter: p.flow.KeepFrontMatter, Secrets: p.flow.Secrets,
		Links: p.limits.Links,
	}
	if p.facts, p.recorded, err = p.DB.Facts(p.id); err != nil {
		return err
	}
	p.stored, p.stateless = p.facts, !p.recorded
	p.entry.Store = p.facts.StoreName
	render := p.renderDigest()
	p.rerender = p.facts.Render != "" && p.facts.Render != render
	p.facts.Render = render
	place := p.place()
	moved := p.facts.Place != place
	p.facts.Place = place
	if !moved && !p.mustList() {
		return nil
	}
	clean := p.recorded && !p.facts.Dirty && !moved
	p.progress.stage(StageListing)
	p.entry.Listed = true
	if p.roster != nil {
		// Records that are not trusted do not tell whom an earlier pass gave something.
		p.facts.Linked = p.roster.names(p.facts.Linked)
	}
	if err := p.list(ctx); err != nil || !clean {
		return err
	}
	return p.doubt(ctx)
}

// place names where the documents go: the store, by what the target's settings say, and the scope. Records of another
// place say nothing about this one.
func (p *pass) place() string {
	s := string(p.scope)
	if t, ok := p.flow.To.(targets.Placed); ok {
		s += " " + t.Place()
	}
	return s
}

func (p *pass) mustList() bool {
	age := time.Since(p.facts.Reconciled)
	switch {
	case p.opt.Reconcile, !p.recorded, p.facts.Dirty:
		return true
	case p.flow.Reconcile > 0 && (age > p.flow.Reconcile || age < -time.Minute):
		// A negative age: the clock went back, and the interval means nothing any more.
		return true
	case p.roster != nil && p.roster.grows(p.facts.Linked):
		return true // an agent that is new to us may hold anything of ours
	}
	return false
}

// renderDigest names the settings that shape renditions.
func (p *pass) renderDigest() string {
	exts := make([]string, 0, len(p.limits.Accepts.Native))
	for e := range p.limits.Accepts.Native {
		exts = append(exts, e)
	}
	sort.Strings(exts)
	a := p.limits.Accepts
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q %s %s %d %t %s%s", p.limits.MaxBytes, exts, a.Text, a.Markdown, a.TextBytes,
		p.flow.KeepFrontMatter, cmp.Or(p.flow.Secrets, "warn"), p.shapes()))
	return hex.EncodeToString(sum[:8])
}

// connect finds the store before the first change and marks the flow dirty.
func (p *pass) connect(ctx context.Context) error {
	if p.connected {
		return nil
	}
	store, err := p.flow.To.Connect(ctx, true)
	if err != nil {
		return err
	}
	if store.ID == "" {
		return fmt.Errorf("the vendor named no id for the store")
	}
	// A store that was made just now is empty, whatever its id; one that is there although it was not is to be listed.
	if (p.facts.Store == "") != store.Created || p.facts.Store != "" && p.facts.Store != store.ID {
		return errRestart
	}
	p.entry.Store = store.Name
	p.facts.Store, p.facts.StoreName, p.facts.Dirty = store.ID, store.Name, true
	if err := p.writeFacts(); err != nil {
		return err
	}
	p.connected = true
	return nil
}

// owe notes durably, before the first change of a pass, that the work after changes is to be done. It stays so until it was.
func (p *pass) owe() error {
	if _, ok := p.flow.To.(targets.Finisher); !ok || p.facts.Finish {
		return nil
	}
	p.facts.Finish = true
	return p.writeFacts()
}

// writeFacts stores the facts unless the state holds the very same.
func (p *pass) writeFacts() error {
	if p.recorded && reflect.DeepEqual(p.facts, p.stored) {
		return nil
	}
	err := p.DB.Update(p.id, func(w *state.Writer) error { return w.SetFacts(p.facts) })
	if err == nil {
		p.factsWritten()
	}
	return err
}

func (p *pass) factsWritten() {
	p.recorded, p.stored = true, p.facts
	p.stored.Linked, p.stored.Deleted = slices.Clone(p.facts.Linked), slices.Clone(p.facts.Deleted)
}

// consume takes documents as they are found and starts sending them.
func (p *pass) consume(ctx context.Context) error {
	// Only the scan ends early when sending cannot go on; what is under way is finished.
	scanCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	ch, wait := p.render(scanCtx)
	var err error
	for r := range ch {
		if err != nil {
			continue // drain
		}
		if err = p.plan(ctx, r); err != nil {
			cancel()
		}
	}
	werr := wait()
	if err != nil {
		_ = p.sender.wait()
		return err
	}
	return werr
}

// plan decides about one document.
func (p *pass) plan(ctx context.Context, r rendered) error {
	if r.err != nil && !errors.Is(r.err, convert.ErrSkip) {
		return p.unreadable(ctx, r)
	}
	j := &job{doc: r.doc, existed: len(r.have) > 0}
	if p.dismiss(r) {
		return nil
	}
	if r.parts != nil { // known from the record
		j.rec = *r.rec
		j.parts = r.parts
	} else {
		j.rec = state.Record{
			Fingerprint: r.doc.Fingerprint, Content: r.rendition.Digest, Convert: convert.Version, Doubtful: r.rendition.Doubtful,
			Whole:    len(r.rendition.Parts) == 1 && r.rendition.Parts[0].Index == 0,
			Narrowed: r.rendition.Narrowed, Agents: r.rendition.Agents,
		}
		j.parts = wanted(r.rendition)
		p.warnOfSecrets(r)
		if _, whole := p.flow.To.(targets.Linker); whole && r.rendition.Narrowed {
			p.log.Warn("the front matter names agents, and at this vendor every agent of the store has the document; exclude it, or give it a sync and a store of its own",
				"key", kb.Printable(string(r.doc.Key)))
		}
	}
	v := p.decide(j.parts, r.have)
	j.retire = v.retire
	switch {
	case v.missing == 0:
		return p.present(ctx, j, v, r.rec)
	case v.existed || p.index == nil && r.rec != nil && (r.rec.Skipped == "" || r.rec.Held()):
		j.action = ActionReplace
		return p.send(ctx, j)
	}
	j.action = ActionUpload
	if p.mayBeRenamed() && len(p.freshJobs) < holdBack {
		p.freshJobs = append(p.freshJobs, j)
		return nil
	}
	return p.send(ctx, j)
}

// mayBeRenamed tells whether anything could have lost its name: without records and listing nothing can.
func (p *pass) mayBeRenamed() bool {
	return p.index != nil && len(p.index.entries) > 0 || p.index == nil
}

// present handles a document whose parts are all at the target.
func (p *pass) present(ctx context.Context, j *job, v verdict, old *state.Record) error {
	if p.opt.DryRun && p.roster != nil && p.index != nil {
		p.ready = append(p.ready, j)
	}
	if p.roster != nil && old != nil && (old.Narrowed != j.rec.Narrowed || !slices.Equal(old.Agents, j.rec.Agents)) {
		// The front matter names other agents: all are looked at, also should this pass not get that far.
		p.facts.Link = ""
		if !p.opt.DryRun {
			if err := p.writeFacts(); err != nil {
				return err
			}
		}
	}
	if old == nil {
		p.entry.Adopted++
		p.note(j, ActionAdopt)
	} else {
		p.same++
	}
	switch {
	case v.unready > 0:
		if err := p.put(j, old, j.final(false)); err != nil {
			return err
		}
		p.settling = append(p.settling, j)
		if len(p.settling) >= wave && !p.opt.DryRun {
			return p.settleUp(ctx)
		}
		return nil
	case len(j.retire) > 0:
		p.cleanups = append(p.cleanups, j)
		return nil
	}
	p.searchable = true
	return p.put(j, old, j.final(true))
}

// put records what was learnt about a document, unless the state holds the very same; a group of records goes with one commit.
func (p *pass) put(j *job, old *state.Record, rec state.Record) error {
	if old != nil && old.Equal(rec) {
		return nil
	}
	if p.puts = append(p.puts, recordPut{j.doc.Key, rec}); len(p.puts) < commitChunk {
		return nil
	}
	return p.flushPuts()
}

// unrecorded notes that something is at the target which only the listing knows, so that the next pass lists again.
func (p *pass) unrecorded(have bool) {
	p.unsure = p.unsure || have && p.index != nil
}

// final is the record of a document as it is now.
func (j *job) final(settled bool) state.Record {
	r := j.rec
	r.Settled, r.Skipped, r.Parts, r.Retire = settled, "", nil, nil
	for _, pt := range j.parts {
		r.Parts = append(r.Parts, state.Part{ID: string(pt.id), N: pt.Index, Hash: pt.hash, Ext: pt.Ext})
	}
	for _, id := range j.retire {
		r.Retire = append(r.Retire, string(id))
	}
	return r
}

func (p *pass) flushPuts() error {
	puts := p.puts
	p.puts = nil
	if len(puts) == 0 || p.opt.DryRun {
		return nil
	}
	slices.SortFunc(puts, func(a, b recordPut) int { return cmp.Compare(a.key, b.key) })
	return p.DB.Update(p.id, func(w *state.Writer) error {
		for _, r := range puts {
			if err := w.Put(r.key, r.rec); err != nil {
				return err
			}
		}
		return nil
	})
}

// unreadable sorts out a document that could not be rendered.
func (p *pass) unreadable(ctx context.Context, r rendered) error {
	k := r.doc.Key
	if broken, ok := errors.AsType[*convert.PanicError](r.err); ok {
		p.log.Error("a converter broke down", "key", kb.Printable(string(k)), "panic", broken.Value, "stack", string(broken.Stack))
	}
	if errors.Is(r.err, fault.ErrUnsupported) && ctx.Err() == nil {
		p.entry.skip(k, oneLine(p.kept(r.err, len(r.have))), r.doc.Size)
		p.refused++
		p.discount(k, "")
		return p.put(&job{doc: r.doc}, r.rec, p.refusal(r))
	}
	p.unrecorded(len(r.have) > 0)
	if len(r.have) == 0 {
		p.unread[kindOf(k)] = true
	}
	switch {
	case ctx.Err() != nil:
	case errors.Is(r.err, fault.ErrChanged):
		p.entry.wait(k, "changed while it was read; the next pass takes it")
	case errors.Is(r.err, fault.ErrNotFound):
		p.entry.wait(k, "vanished while it was read; the next pass looks again")
	default:
		p.entry.failDocument(k, r.err)
	}
	return nil
}

// refusal is the record of a version that the target does not take: what it holds of the version before stays.
func (p *pass) refusal(r rendered) state.Record {
	var rec state.Record
	if r.rec != nil && p.index == nil {
		rec = *r.rec
	} else {
		rec.Settled, rec.Whole = true, true
		for _, h := range r.have {
			switch {
			case h.alien:
			case h.known:
				rec.Parts = append(rec.Parts, state.Part{ID: string(h.id), N: h.part, Hash: h.hash, Ext: h.ext})
				rec.Settled = rec.Settled && h.status == targets.StatusDone
				rec.Whole = rec.Whole && h.part == 0
			default:
				rec.Retire = append(rec.Retire, string(h.id))
			}
		}
		rec.Whole = rec.Whole && len(rec.Parts) == 1
	}
	rec.Fingerprint, rec.Convert, rec.Doubtful = r.doc.Fingerprint, convert.Version, false
	rec.Skipped = strings.ToValidUTF8(r.err.Error(), "?")
	return rec
}

// note lists a change in the report.
func (p *pass) note(j *job, action string) {
	if p.opt.KeepChanges {
		// A key shares its memory with everything else in its directory.
		p.entry.Changes = append(p.entry.Changes, Change{
			Action: action, Document: strings.Clone(kb.Printable(string(j.doc.Key))), Bytes: j.bytes(), Parts: len(j.parts),
			From: kb.Printable(string(j.from)), Modified: j.doc.Modified, Link: p.byLink(j.doc),
		})
	}
}

// collect moves what the scan owned into the entry.
func (p *pass) collect() {
	for _, s := range p.skips {
		p.entry.skip(s.key, oneLine(s.err), s.size)
	}
	for _, f := range p.failures {
		p.entry.failDocument(f.key, f.err)
	}
	p.noteEmpty()
	p.entry.Sources, p.entry.Notes = p.costs, p.notes
	p.unrecorded(p.aside)
	p.warnOfMatches()
	failed := 0
	for _, t := range p.sources {
		if t.failed {
			failed++
		}
	}
	for _, err := range p.sourceErrs {
		p.entry.fail(err)
	}
	p.hopeless = p.hopeless || failed > 0 && failed == len(p.flow.Sources)
	p.entry.Documents = p.wanted - p.declined - p.refused
	p.entry.counted = p.counted - int(p.discounted.Load())
	p.entry.Unchanged = p.unchanged + p.same
	if p.index != nil {
		p.base = p.index.keys
	}
}
