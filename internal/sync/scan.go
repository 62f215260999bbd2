package sync

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// found is a document that the scan could not pass over: new, changed, doubtful, unfinished, or to be compared
// with the listing.
type found struct {
	doc  kb.Document
	rec  *state.Record // nil without a usable record
	have []remotePart
	// parts are known without reading when the record is of this very version.
	parts []part
	err   error // why it cannot be sent, when that is known without reading
}

// gone is a document that the target holds and the sources do not.
type gone struct {
	key   kb.Key // "" when only the listing knows it
	hash  kb.KeyHash
	sig   signature
	ext   string
	sure  bool // sig can be trusted
	count int  // remote documents
	// remote is the name of the first remote document, when only the listing knows it.
	remote string
	// unwanted: it is in the source, but not meant for this target.
	unwanted bool
}

// sourceTally is what one scan of one source came to.
type sourceTally struct {
	seen   int // documents given
	meant  int // of them, those that are meant for this target
	aside  int // of those meant, known from records to say themselves that they are not
	known  int // documents that the records hold
	failed bool
	unsure error // why nothing that is missing may be taken for gone
	gone   []gone
}

// scan runs through all sources in the order of their keys, merges them with the records, and sends what needs a closer
// look. Everything that it writes belongs to it until its channel is closed.
func (p *pass) scan(ctx context.Context, out chan<- found) error {
	m := &merge{pass: p, ctx: ctx, out: out, reader: p.DB.Records(p.id, "")}
	if err := m.advance(); err != nil {
		return err
	}
	for _, s := range p.sortedSources() {
		t := &sourceTally{}
		p.sources[s.Name] = t
		if err := m.upTo(kb.NewKey(s.Name, "")); err != nil {
			return err
		}
		known, err := p.known(s)
		if err != nil {
			return err
		}
		m.fetcher, _ = s.Source.(sources.Fetcher)
		err = s.Scan(ctx, known, m)
		if err == nil && m.err == nil {
			err = m.flushFetch()
		}
		p.noteCost(s)
		if errors.Is(err, sources.ErrUnsure) {
			t.unsure, err = err, nil
			p.log.Info("nothing of the source is deleted in this pass", "source", s.Name, "why", t.unsure)
		}
		incomplete := errors.Is(err, fault.ErrIncomplete)
		if m.err != nil {
			return m.err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			// What the records hold beyond the last document is gone as well.
			err = m.upTo(kb.Key(s.Name + "0")) // '0' follows '/'
		} else {
			t.failed = true
			p.log.Error("source failed", "source", s.Name, "err", err)
			p.sourceErrs = append(p.sourceErrs, fmt.Errorf("%s: %w", s.Name, err))
			err = m.skipTo(kb.Key(s.Name + "0"))
			p.sources[s.Name].gone = nil
		}
		if err != nil {
			return err
		}
		if !t.failed || incomplete {
			p.noteIdentity(s)
		}
	}
	return m.rest()
}

// merge joins a scan with the records; both are sorted by key.
type merge struct {
	*pass
	ctx    context.Context
	out    chan<- found
	reader *state.Reader
	key    []byte // the current record; nil at the end
	val    []byte
	last   kb.Key
	err    error // what ended the scan from our side
	// fetcher gets the content of what waits in far, when the source has one.
	fetcher sources.Fetcher
	far     []found
}

func (m *merge) advance() error {
	k, v, ok, err := m.reader.Next()
	if err != nil {
		return err
	}
	if !ok {
		k = nil
	}
	m.key, m.val = k, v
	return nil
}

// upTo takes the records below k: their documents were not given.
func (m *merge) upTo(k kb.Key) error {
	for m.key != nil && string(m.key) < string(k) {
		if err := m.missing(); err != nil {
			return err
		}
		if err := m.advance(); err != nil {
			return err
		}
	}
	return nil
}

// skipTo passes over the records below k: their source could not say whether the documents are there.
func (m *merge) skipTo(k kb.Key) error {
	for m.key != nil && string(m.key) < string(k) {
		key := kb.Key(m.key)
		if m.index != nil {
			m.index.take(key)
		}
		m.tally(key.Source()).known++
		m.base++
		if err := m.advance(); err != nil {
			return err
		}
	}
	return nil
}

// rest takes the records behind the last source; they belong to sources that the sync no longer has.
func (m *merge) rest() error {
	for m.key != nil {
		if err := m.missing(); err != nil {
			return err
		}
		if err := m.advance(); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) tally(source string) *sourceTally {
	t := p.sources[source]
	if t == nil {
		t = &sourceTally{}
		p.sources[source] = t
	}
	return t
}

// missing notes that the document of the current record is gone.
func (m *merge) missing() error {
	k := kb.Key(m.key)
	r, err := m.decode(k)
	if err != nil {
		return err
	}
	have := remembered(r)
	if m.index != nil {
		have = ours(m.index.take(k))
	}
	t := m.tally(k.Source())
	if r.Skipped == "" || r.Held() {
		t.known++
		m.base++
	}
	g := gone{key: k, hash: k.Hash(), count: len(have)}
	g.sig, g.ext, g.sure = signed(have)
	if m.index == nil && len(r.Retire) > 0 {
		g.sig, g.ext, g.sure = signed(have[:len(r.Parts)])
	}
	t.gone = append(t.gone, g)
	return nil
}

func (m *merge) decode(k kb.Key) (state.Record, error) {
	r, err := state.DecodeRecord(k, m.val)
	if err != nil {
		return r, fmt.Errorf("%w: record of %s", state.ErrDamaged, kb.Printable(string(k)))
	}
	return r, nil
}

// Problem implements sources.Sink. What the target holds of the entry stays.
func (m *merge) Problem(pb kb.Problem) error {
	if pb.Present {
		m.failures = append(m.failures, docError{key: pb.Key, err: pb.Err})
	} else {
		m.skips = append(m.skips, docError{key: pb.Key, err: pb.Err})
	}
	if pb.Key <= m.last {
		return nil
	}
	if m.err = m.upTo(pb.Key); m.err != nil {
		return m.err
	}
	if m.index != nil && len(m.index.take(pb.Key)) > 0 {
		m.aside = true
	}
	if m.key != nil && string(m.key) == string(pb.Key) {
		m.tally(pb.Key.Source()).known++
		m.base++
		m.err = m.advance()
	}
	return m.err
}

// Document implements sources.Sink.
func (m *merge) Document(d kb.Document) error {
	if d.Key <= m.last {
		m.err = fmt.Errorf("source %s gave %q out of order", d.Key.Source(), d.Key)
		return m.err
	}
	m.last = d.Key
	m.progress.Scanned.Add(1)
	if m.key != nil && string(m.key) < string(d.Key) {
		if m.err = m.upTo(d.Key); m.err != nil {
			return m.err
		}
	}
	t := m.sources[d.Key.Source()]
	t.seen++
	if !m.flow.Copy.wants(d.Key) {
		return nil // for this copy it is as if it were not there
	}
	m.wanted++
	t.meant++
	if m.roster != nil {
		m.roster.see(d.Key)
	}
	if m.first(d.Key) {
		m.counted++
	}
	if m.key == nil || string(m.key) != string(d.Key) {
		return m.give(d, nil)
	}
	if m.index == nil && !m.rerender && state.Same(m.val, d.Fingerprint, convert.Version) {
		t.known++
		m.base++
		m.unchanged++
		m.err = m.advance()
		return m.err
	}
	var r state.Record
	if r, m.err = m.decode(d.Key); m.err != nil {
		return m.err
	}
	if r.Skipped == "" || r.Held() {
		t.known++
		m.base++
	}
	if m.err = m.give(d, &r); m.err == nil {
		m.err = m.advance()
	}
	return m.err
}

// give sends a document on, unless it is clear already that nothing can be done with it.
func (m *merge) give(d kb.Document, r *state.Record) error {
	f := found{doc: d, rec: r}
	if m.index != nil {
		f.have = m.index.take(d.Key)
		if len(f.have) == 0 && m.byLink(d) {
			f.have = m.index.takeLink(d.Link, m.stateless)
		}
	} else if r != nil {
		f.have = remembered(*r)
	}
	m.noteLink(d)
	if r != nil && !m.rerender && !r.Doubtful && r.Convert == convert.Version && r.Fingerprint == d.Fingerprint {
		switch r.Skipped {
		case "":
		case forOthers, forPeers:
			m.declined++
			m.sources[d.Key.Source()].aside++
			m.discount(d.Key, r.Skipped)
			if r.Skipped == forOthers {
				m.skips = append(m.skips, docError{d.Key, errOthers, d.Size})
			}
			return nil
		default:
			if r.Skipped == oneLine(convert.ErrSkip) {
				m.sources[d.Key.Source()].aside++
			}
			m.decline(d.Key, d.Size, m.kept(errors.New(r.Skipped), len(f.have)))
			return nil
		}
		f.parts = recorded(*r)
	} else if err := convert.Choose(d, m.rendering); err != nil {
		if len(f.have) == 0 {
			m.decline(d.Key, d.Size, err)
			return nil
		}
		f.err = err // an earlier version is there, which the record has to tell
	}
	if m.fetcher != nil && m.needsContent(f) {
		if m.far = append(m.far, f); len(m.far) < fetchBatch {
			return nil
		}
		return m.flushFetch()
	}
	return m.hand(f)
}

// hand hands a document on to those who read.
func (m *merge) hand(f found) error {
	select {
	case m.out <- f:
	case <-m.ctx.Done():
		m.err = m.ctx.Err()
	}
	return m.err
}

// first tells whether a document counts here, of the copies that hold it.
func (p *pass) first(k kb.Key) bool {
	for _, a := range p.flow.Peers {
		if a.wants(k) {
			return a.ID == p.flow.Copy.ID
		}
	}
	return true
}

// discount takes a document that counted here out of the count of all copies, unless another of them has it.
func (p *pass) discount(k kb.Key, reason string) {
	if p.first(k) && reason != forPeers {
		p.discounted.Add(1) // the scan and the pass both find such documents
	}
}

func (m *merge) decline(k kb.Key, size int64, why error) {
	m.declined++
	m.discount(k, "")
	m.skips = append(m.skips, docError{k, why, size})
}

// kept adds to the reason of a skip that an earlier version stays where it is; in one text for all it cannot.
func (p *pass) kept(err error, have int) error {
	if _, bundle := p.flow.To.(targets.Bundler); have == 0 || bundle {
		return err
	}
	return fmt.Errorf("%w; the version sent before stays at the vendor", err)
}

// known is what the source may know about its last scans.
func (p *pass) known(s Source) (sources.Known, error) {
	known := sources.Known{Run: p.opt.Run, Anew: p.opt.Reconcile, Looked: func(n int) { p.progress.Looked.Store(int64(n)) }}
	id, err := p.DB.SourceIdentity(s.Name)
	if err != nil || id == "" {
		return known, err
	}
	prefix := kb.NewKey(s.Name, "")
	sample := func(most int) []sources.KnownDocument {
		var out []sources.KnownDocument
		for r := p.DB.Records(p.id, prefix); len(out) < most; {
			k, v, ok, err := r.Next()
			if !ok || err != nil || kb.Key(k).Source() != s.Name {
				break
			}
			if rec, err := state.DecodeRecord(kb.Key(k), v); err == nil {
				out = append(out, sources.KnownDocument{Key: kb.Key(k), Fingerprint: rec.Fingerprint})
			}
		}
		return out
	}
	// The exact number is only for a message; a full count would read every record.
	known.Identity, known.Documents, known.Sample = id, len(sample(1000)), sample
	return known, nil
}

// noteIdentity remembers, for the end of the pass, where a source is. A scan that was not complete leaves Identity as it
// was, unless all that it lacks is trust in the place: then the next pass begins with the new one.
func (p *pass) noteIdentity(s Source) {
	i, ok := s.Source.(sources.Identifier)
	if !ok {
		return
	}
	if id := i.Identity(); id != "" {
		p.identities[s.Name] = id
	}
}

// rendered is a found document that was read, where that was needed.
type rendered struct {
	found
	rendition convert.Rendition
}

// render reads documents in parallel. The channel that it returns is closed when the scan is over and everything found
// was given; wait then says how the scan ended.
func (p *pass) render(ctx context.Context) (out <-chan rendered, wait func() error) {
	in := make(chan found, 256)
	res := make(chan rendered, 256)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(in)
		return p.scan(gctx, in)
	})
	var workers sync.WaitGroup
	for range max(2, runtime.GOMAXPROCS(0)) {
		workers.Add(1)
		g.Go(func() error {
			defer workers.Done()
			for f := range in {
				r := p.read(gctx, f)
				select {
				case res <- r:
				case <-gctx.Done():
					return gctx.Err()
				}
			}
			return nil
		})
	}
	go func() {
		workers.Wait()
		close(res)
	}()
	return res, g.Wait
}

// read renders a document when its parts are not known or some of them must be sent.
func (p *pass) read(ctx context.Context, f found) rendered {
	if f.err != nil {
		return rendered{found: f}
	}
	if f.parts != nil && p.decide(append([]part(nil), f.parts...), f.have).missing == 0 {
		return rendered{found: f}
	}
	r, err := convert.Render(ctx, f.doc, p.rendering)
	p.progress.Read.Add(1)
	if err == nil && len(r.Parts) == 0 {
		err = fault.New(fault.ErrUnsupported, "there is nothing in it to send")
	}
	f.parts, f.err = nil, err
	return rendered{found: f, rendition: r}
}
