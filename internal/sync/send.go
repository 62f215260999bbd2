package sync

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// sender puts parts into batches and keeps as many batches under way as the target likes. It is used by the goroutine of the
// pass only; the workers share nothing with it but their batch and the channel of answers.
type sender struct {
	p       *pass
	batch   []piece
	bytes   int64
	flying  int
	answers chan answer
}

// piece is one part to be sent.
type piece struct {
	job  *job
	part int
}

// answer is what became of a batch.
type answer struct {
	pieces  []piece
	results []targets.Result
	starts  map[targets.RemoteID]error // documents whose indexing could not be started
	anew    []bool                     // pieces that could not take their content in place and were created instead
	err     error
}

func newSender(p *pass) *sender {
	return &sender{p: p, answers: make(chan answer, 64)}
}

// send hands a document to the sender. In a dry run it only counts.
func (p *pass) send(ctx context.Context, j *job) error {
	missing := 0
	for _, pt := range j.parts {
		if pt.id == "" {
			missing++
		}
	}
	if p.limits.FilesLast && !j.late && !p.opt.DryRun && p.limits.Accepts.Native[j.parts[0].Ext] {
		j.late = true
		p.slow = append(p.slow, j)
		return nil
	}
	j.open = missing
	p.progress.ToSend.Add(int64(missing))
	if p.opt.DryRun {
		p.planned(j, missing)
		return nil
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	if p.progress.Stage.Load() == StageScanning {
		p.progress.stage(StageSending)
	}
	for i := range j.parts {
		if j.parts[i].id == "" {
			if err := p.sender.add(ctx, piece{j, i}); err != nil {
				return err
			}
		}
	}
	if len(p.settling) >= wave {
		return p.settleUp(ctx)
	}
	return nil
}

// drain sends the files that gave way to texts.
func (p *pass) drain(ctx context.Context) error {
	jobs := p.slow
	p.slow = nil
	for _, j := range jobs {
		if err := p.send(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

// planned counts what a dry run would do.
func (p *pass) planned(j *job, missing int) {
	e := p.entry
	switch j.action {
	case ActionReplace:
		e.Replaced++
	case ActionRename:
		e.Renamed++
	default:
		e.Uploaded++
	}
	for _, pt := range j.parts {
		if pt.id == "" {
			e.PlanBytes += pt.Size
		}
	}
	p.planFiles += missing
	p.planRetire += len(j.retire)
	p.planAgents(j)
	p.note(j, j.action)
}

func (s *sender) add(ctx context.Context, pc piece) error {
	size := pc.job.parts[pc.part].Size
	l := s.p.limits
	if len(s.batch) > 0 && (len(s.batch) >= max(1, l.BatchFiles) || l.BatchBytes > 0 && s.bytes+size > l.BatchBytes) {
		if err := s.dispatch(ctx); err != nil {
			return err
		}
	}
	s.batch = append(s.batch, pc)
	s.bytes += size
	return nil
}

// dispatch starts the batch as soon as the target has room for it, taking answers meanwhile.
func (s *sender) dispatch(ctx context.Context) error {
	for s.flying >= max(1, s.p.limits.Concurrency) {
		if err := s.take(<-s.answers); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.p.owe(); err != nil {
		return err
	}
	batch := s.batch
	s.batch, s.bytes = nil, 0
	s.flying++
	go func() { s.answers <- s.p.deliver(ctx, batch) }()
	return nil
}

// flush sends what is left and waits for every answer.
func (s *sender) flush(ctx context.Context) error {
	var err error
	if len(s.batch) > 0 {
		err = s.dispatch(ctx)
	}
	return errors.Join(err, s.wait())
}

// wait takes the answers of all batches under way, also after a cancellation: what was sent is recorded.
func (s *sender) wait() error {
	var first error
	for s.flying > 0 {
		if err := s.take(<-s.answers); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// deliver uploads one batch and starts its indexing. It runs in a worker.
func (p *pass) deliver(ctx context.Context, batch []piece) answer {
	a := answer{pieces: batch, results: make([]targets.Result, len(batch)), anew: make([]bool, len(batch))}
	if a.err = p.upload(ctx, a); a.err != nil || ctx.Err() != nil {
		return a
	}
	settler, ok := p.flow.To.(targets.Settler)
	if !ok {
		return a
	}
	var ids []targets.RemoteID
	for _, r := range a.results {
		if r.Err == nil && r.Status != targets.StatusDone && r.Status != targets.StatusWorking {
			ids = append(ids, r.ID)
		}
	}
	a.starts, a.err = start(ctx, settler, ids)
	return a
}

// upload creates what is new and gives the rest its content in place. An error is what stops the target.
func (p *pass) upload(ctx context.Context, a answer) error {
	var fresh []targets.Rendition
	var at []int
	for i, pc := range a.pieces {
		r := p.rendition(pc)
		old := pc.job.parts[pc.part].old
		if old == "" {
			fresh, at = append(fresh, r), append(at, i)
			continue
		}
		res := p.flow.To.(targets.Replacer).Replace(ctx, old, r)
		if errors.Is(res.Err, fault.ErrConflict) {
			// The vendor is stuck with an earlier version: a new document takes its place, and it goes once that is searchable.
			a.anew[i] = true
			fresh, at = append(fresh, r), append(at, i)
			continue
		}
		if errors.Is(res.Err, fault.ErrNotFound) && !errors.Is(res.Err, fault.ErrChanged) {
			res.Err = fault.New(fault.ErrUnknown, "the version at the vendor vanished").WithHint("the next pass sends it anew").Because(res.Err)
		}
		if a.results[i] = res; fault.StopsTarget(res.Err) {
			return res.Err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	results, err := p.flow.To.Upload(ctx, fresh)
	for i, r := range results {
		a.results[at[i]] = r
	}
	for _, i := range at[min(len(results), len(at)):] {
		a.results[i] = targets.Result{Err: cmp.Or(err, error(fault.New(fault.ErrUnknown, "no answer")))}
	}
	return err
}

// start asks for indexing and gives the documents for which that failed. An error is what stops the target.
func start(ctx context.Context, s targets.Settler, ids []targets.RemoteID) (map[targets.RemoteID]error, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	results, err := s.Start(ctx, ids)
	if err != nil {
		return nil, err
	}
	bad := map[targets.RemoteID]error{}
	for i, r := range results {
		if r.Err != nil {
			bad[ids[i]] = r.Err
		}
	}
	return bad, nil
}

func (p *pass) rendition(pc piece) targets.Rendition {
	d, pt := pc.job.doc, pc.job.parts[pc.part]
	if pt.Link != "" {
		return targets.Rendition{Document: d.Key, Name: p.remoteName(d.Key, pt), Digest: pt.Digest, Link: pt.Link}
	}
	return targets.Rendition{
		Document: d.Key, Name: p.remoteName(d.Key, pt), Size: pt.Size, Digest: pt.Digest, MediaType: pt.MediaType,
		Open: func(ctx context.Context) (io.ReadCloser, error) { return convert.Open(ctx, d, pt.Part) },
	}
}

func (p *pass) remoteName(k kb.Key, pt part) string {
	return kb.RemoteName(k, kb.Mark{Scope: p.scope, Key: k.Hash(), Part: pt.Index, Hash: pt.hash}, pt.Ext, p.limits.NameBytes)
}

// take records the answer of a batch in one commit.
func (s *sender) take(a answer) error {
	s.flying--
	p := s.p
	p.sentAt = time.Now()
	var done []*job
	for i, pc := range a.pieces {
		r := targets.Result{Err: a.err}
		if i < len(a.results) {
			r = a.results[i]
		}
		j := pc.job
		j.open--
		if pt := &j.parts[pc.part]; i < len(a.anew) && a.anew[i] {
			j.retire, pt.old = append(j.retire, pt.old), ""
		}
		switch {
		case r.Err == nil && r.ID != "":
			j.parts[pc.part].id, j.parts[pc.part].status, j.parts[pc.part].sent = r.ID, r.Status, true
			if _, ok := p.flow.To.(targets.Settler); ok && r.Status == targets.StatusDone {
				// That it is searchable is believed of the store alone, which also tells under which name.
				j.parts[pc.part].status = targets.StatusWorking
			}
			// The target may have found an equal document in the store instead of making one.
			j.retire = slices.DeleteFunc(j.retire, func(id targets.RemoteID) bool { return id == r.ID })
			p.progress.Sent.Add(1)
			p.progress.SentBytes.Add(j.parts[pc.part].Size)
			if why := a.starts[r.ID]; why != nil {
				p.log.Warn("indexing could not be started", "key", j.doc.Key, "err", why)
			} else {
				j.parts[pc.part].begun = true
			}
		case r.Err == nil:
			r.Err = fault.New(fault.ErrUnknown, "the vendor named no id")
			fallthrough
		default:
			j.unknown = j.unknown || errors.Is(r.Err, fault.ErrUnknown)
			if j.err == nil {
				j.err = r.Err
			}
		}
		if j.open == 0 {
			done = append(done, j)
		}
	}
	if err := p.sent(done); err != nil {
		return err
	}
	return a.err
}

// sent records documents whose parts have all been answered.
func (p *pass) sent(done []*job) error {
	var ok []*job
	for _, j := range done {
		if j.err != nil {
			p.unsent(j)
			continue
		}
		ok = append(ok, j)
	}
	if len(ok) == 0 {
		return nil
	}
	err := p.DB.Update(p.id, func(w *state.Writer) error {
		for _, j := range ok {
			if err := p.store(w, j, false); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, j := range ok {
		switch j.action {
		case ActionReplace:
			p.entry.Replaced++
		case ActionRename:
			p.entry.Renamed++
		default:
			p.entry.Uploaded++
		}
		p.note(j, j.action)
		p.log.Info("sent", "action", j.action, "key", j.doc.Key, "parts", len(j.parts))
		p.settling = append(p.settling, j)
	}
	return nil
}

// store writes the record of a job; the record of its earlier name goes with the same commit, once nothing of it is left
// but ids to retire.
func (p *pass) store(w *state.Writer, j *job, settled bool) error {
	if j.drop != "" {
		if err := w.Delete(j.drop); err != nil {
			return err
		}
	}
	return w.Put(j.doc.Key, j.final(settled))
}

// unsent reports a document that did not get through.
func (p *pass) unsent(j *job) {
	p.await(j)
	sent := 0
	for _, pt := range j.parts {
		if pt.id != "" {
			sent++
		}
	}
	if sent > 0 || j.unknown {
		p.unsure = true // parts of it may be there that no record names
	}
	p.unrecorded(j.existed || len(j.retire) > 0)
	switch {
	case errors.Is(j.err, fault.ErrChanged):
		p.entry.wait(j.doc.Key, "changed while it was sent; the next pass takes it")
	case errors.Is(j.err, fault.ErrNotFound) && sent == 0:
		p.entry.wait(j.doc.Key, "vanished while it was sent; the next pass looks again")
	case errors.Is(j.err, context.Canceled):
		p.entry.wait(j.doc.Key, "interrupted; the next pass goes on")
	default:
		p.entry.failDocument(j.doc.Key, j.err)
	}
}
