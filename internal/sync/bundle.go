package sync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// bundled stands, in records, for the remote id of a document that is part of the one text.
const bundled = "bundle"

// everything is the document of entries about the text as a whole.
const everything = "(all documents, as one text)"

// runBundle is the pass for a vendor who takes all documents as one text. Any change sends all of them again, so it is sent only
// when every document could be read, and it deletes what is not in it, so it waits as a whole for the guard's consent.
func (p *pass) runBundle(ctx context.Context) (err error) {
	if m, ok := p.flow.To.(targets.Metered); ok {
		p.requests, p.bytes = m.Traffic()
	}
	if err := p.openBundle(); err != nil {
		return err
	}
	p.progress.stage(StageScanning)
	err = p.consumeBundle(ctx)
	p.progress.ScanDone.Store(true)
	p.collect()
	if err == nil && ctx.Err() == nil {
		err = p.finishBundle(ctx)
	}
	if !p.delivered && !p.opt.DryRun {
		p.uncount() // nothing was sent, and no record may say so
	}
	return errors.Join(err, p.conclude(ctx, err))
}

func (p *pass) openBundle() (err error) {
	p.identities = map[string]string{}
	p.rendering = convert.Target{
		Accepts: p.limits.Accepts, MaxBytes: p.limits.MaxBytes, KeepFrontMatter: p.flow.KeepFrontMatter, Secrets: p.flow.Secrets,
	}
	if p.facts, p.recorded, err = p.DB.Facts(p.id); err != nil {
		return err
	}
	p.stored = p.facts
	p.entry.Store = p.facts.StoreName
	render, place := p.renderDigest(), p.place()
	p.rerender = p.facts.Render != "" && p.facts.Render != render
	if p.facts.Dirty || p.facts.Place != place || p.opt.Reconcile {
		p.facts.Bundle = "" // nobody can tell what the vendor holds
	}
	p.facts.Render, p.facts.Place = render, place
	return nil
}

// consumeBundle compares every document with its record.
func (p *pass) consumeBundle(ctx context.Context) error {
	ch, wait := p.render(ctx)
	var failed error
	for r := range ch {
		switch {
		case failed != nil: // the rest is only taken
		case r.err != nil && !errors.Is(r.err, convert.ErrSkip):
			failed = p.unreadable(ctx, r)
		case p.dismiss(r):
		case r.parts != nil:
			p.same++
		default:
			p.bundleDocument(r)
		}
	}
	return errors.Join(wait(), failed)
}

func (p *pass) bundleDocument(r rendered) {
	j := &job{doc: r.doc, parts: wanted(r.rendition)}
	rec := state.Record{
		Fingerprint: r.doc.Fingerprint, Content: r.rendition.Digest, Convert: convert.Version, Doubtful: r.rendition.Doubtful, Settled: true,
		Whole: len(j.parts) == 1 && j.parts[0].Index == 0, Narrowed: r.rendition.Narrowed, Agents: r.rendition.Agents,
	}
	for _, pt := range j.parts {
		rec.Parts = append(rec.Parts, state.Part{ID: bundled, N: pt.Index, Hash: pt.hash, Ext: pt.Ext})
	}
	p.warnOfSecrets(r)
	p.puts = append(p.puts, recordPut{j.doc.Key, rec})
	switch {
	case r.rec != nil && slices.Equal(r.rec.Parts, rec.Parts):
		p.same++
		return
	case r.rec != nil && len(r.rec.Parts) > 0:
		j.action = ActionReplace
		p.entry.Replaced++
	default:
		j.action = ActionUpload
		p.entry.Uploaded++
	}
	p.changed = true
	p.entry.PlanBytes += j.bytes()
	p.note(j, j.action)
}

// finishBundle sends the text when something in it changed, and waits for what was sent.
func (p *pass) finishBundle(ctx context.Context) error {
	p.changed = p.changed || len(p.lost()) > 0
	switch {
	case !p.changed && p.facts.Bundle != "":
		p.delivered = true // what was learnt about documents changes nothing in the text
		return p.settleBundle(ctx)
	case len(p.sourceErrs) > 0 || len(p.entry.Failed) > 0 || len(p.entry.Pending) > 0:
		if p.changed {
			p.entry.Pending = append(p.entry.Pending, Pending{everything, "not sent: the vendor takes all documents as one text, and some could not be read"})
		}
		return nil
	}
	b, err := p.buildBundle(ctx)
	if err != nil {
		return err
	}
	lost, err := p.missingIn(b)
	if err != nil {
		return err
	}
	if held, err := p.guardBundle(b, lost); err != nil || held || p.opt.DryRun {
		return err
	}
	if err := p.sendBundle(ctx, b, lost); err != nil {
		return err
	}
	return p.settleBundle(ctx)
}

// missingIn are the documents that the last text had and this one has not, for whatever reason.
func (p *pass) missingIn(b *bundler) ([]gone, error) {
	var out []gone
	for reader := p.DB.Records(p.id, ""); ; {
		k, v, ok, err := reader.Next()
		if err != nil || !ok {
			return out, err
		}
		key := kb.Key(k)
		if b.keys[key] {
			continue
		}
		r, err := state.DecodeRecord(key, v)
		if err != nil {
			return nil, fmt.Errorf("%w: record of %s", state.ErrDamaged, kb.Printable(string(key)))
		}
		if len(r.Parts) > 0 {
			out = append(out, gone{key: key, hash: key.Hash(), count: len(r.Parts), unwanted: true})
		}
	}
}

// uncount takes back what was counted as sent.
func (p *pass) uncount() {
	p.entry.Uploaded, p.entry.Replaced, p.entry.Deleted, p.entry.Changes, p.puts = 0, 0, 0, p.entry.Changes[:0], nil
}

// guardBundle asks the guard about the documents that the next text lacks.
func (p *pass) guardBundle(b *bundler, lost []gone) (held bool, err error) {
	if len(b.keys) == 0 && !p.opt.AllowDeletes && !p.facts.Approved {
		p.guarded = true
		p.entry.Held = append(p.entry.Held, Held{everything, "there is no document, and an empty text would replace what the chatbot holds"})
		p.heldKeys = append(p.heldKeys, kb.Key(everything))
		return true, nil
	}
	if len(lost) == 0 {
		return false, nil
	}
	if !p.flow.Delete {
		return true, fault.New(fault.ErrSetup, "this vendor takes all documents as one text, which cannot keep those that are gone").
			WithHint("set delete: true, or api: v2 on the target")
	}
	free, err := p.guardLost(lost)
	if err != nil {
		return true, err
	}
	// What is still in its source and only cannot be sent is never given up without consent.
	for _, g := range free {
		if b.refused[g.key] && !p.opt.AllowDeletes && !p.approves(g.key) {
			p.entry.Held = append(p.entry.Held, Held{g.label(), "it cannot be sent as it is now, and the text without it would delete it"})
			p.heldKeys = append(p.heldKeys, g.name())
		}
	}
	if len(p.entry.Held) > 0 {
		return true, nil
	}
	for _, g := range free {
		p.entry.Deleted++
		p.noteDeleted(g)
	}
	return false, nil
}

// approves tells whether someone let this held deletion go ahead.
func (p *pass) approves(k kb.Key) bool {
	held, err := p.DB.Held(p.id)
	return p.facts.Approved && err == nil && slices.Contains(held, k)
}

// sendBundle sends the text. The flow is dirty from before the request until its records are written.
func (p *pass) sendBundle(ctx context.Context, b *bundler, lost []gone) error {
	p.progress.stage(StageSending)
	text := b.text.Bytes()
	store, err := p.flow.To.Connect(ctx, true)
	if err != nil {
		return err
	}
	p.entry.Store, p.facts.Store, p.facts.StoreName, p.facts.Dirty = store.Name, store.ID, store.Name, true
	if err := p.writeFacts(); err != nil {
		return err
	}
	p.connected = true
	res := p.flow.To.(targets.Bundler).SendBundle(ctx, targets.Rendition{
		Document: kb.Key(everything), Name: everything, Size: int64(len(text)), Digest: kb.Sum(text), MediaType: "text/markdown",
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil },
	})
	if res.Err != nil {
		p.unsure = true
		if fault.StopsTarget(res.Err) {
			return res.Err
		}
		p.entry.Failed = append(p.entry.Failed, Failed{everything, oneLine(res.Err), 1})
		return nil
	}
	p.sentAt, p.delivered = time.Now(), true
	p.facts.Bundle, p.facts.Finish, p.facts.Approved = b.digest(), true, false
	p.facts.Deleted = append(p.facts.Deleted, state.Deletion{At: time.Now().UTC().Truncate(time.Second), N: len(lost)})
	if err := p.flushPuts(); err != nil {
		return err
	}
	return p.DB.Update(p.id, func(w *state.Writer) error {
		for _, g := range lost {
			if err := w.Delete(g.key); err != nil {
				return err
			}
		}
		return nil
	})
}

// buildBundle reads every document in the order of keys. Each stands under a heading that carries its mark.
func (p *pass) buildBundle(ctx context.Context) (*bundler, error) {
	b := &bundler{pass: p, ctx: ctx, sum: sha256.New(), keys: map[kb.Key]bool{}, refused: map[kb.Key]bool{}}
	for _, s := range p.sortedSources() {
		known, err := p.known(s)
		if err != nil {
			return nil, err
		}
		if err := s.Scan(ctx, known, b); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, errors.Join(err, b.err))
		}
	}
	return b, nil
}

// bundler collects the text. The context lives here because sources.Sink has no place for it.
type bundler struct {
	*pass
	ctx  context.Context
	text bytes.Buffer
	keys map[kb.Key]bool
	// refused are documents that are there and cannot be sent.
	refused map[kb.Key]bool
	sum     hash.Hash
	err     error
}

func (b *bundler) digest() string { return hex.EncodeToString(b.sum.Sum(nil)[:8]) }

// Document implements sources.Sink.
func (b *bundler) Document(d kb.Document) error {
	if !b.flow.Copy.wants(d.Key) {
		return nil
	}
	r, err := convert.Render(b.ctx, d, b.rendering)
	switch {
	case errors.Is(err, convert.ErrSkip):
		return nil
	case errors.Is(err, fault.ErrUnsupported):
		b.refused[d.Key] = true
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", kb.Printable(string(d.Key)), err)
	case r.Narrowed && b.flow.Copy.ID != "" && !slices.Contains(r.Agents, b.flow.Copy.ID):
		return nil
	}
	b.keys[d.Key] = true
	for _, pt := range wanted(r) {
		name := b.remoteName(d.Key, pt)
		fmt.Fprintf(&b.text, "# %s\n\n", name)
		fmt.Fprintf(b.sum, "%q", name)
		rc, err := convert.Open(b.ctx, d, pt.Part)
		if err != nil {
			return err
		}
		_, err = b.text.ReadFrom(rc)
		if err = errors.Join(err, rc.Close()); err != nil {
			return fmt.Errorf("%s: %w", kb.Printable(string(d.Key)), err)
		}
		b.text.WriteString("\n\n")
	}
	if most := b.limits.MaxBytes; most > 0 && int64(b.text.Len()) > most {
		return fault.New(fault.ErrTooLarge, "all documents together are above %d bytes, the most that the vendor takes as one text", most).
			WithHint("set api: v2 on the target, which keeps one source for each document")
	}
	return nil
}

// Problem implements sources.Sink.
func (b *bundler) Problem(pb kb.Problem) error {
	if pb.Present {
		b.err = pb.Err
		return pb.Err
	}
	b.refused[pb.Key] = true
	return nil
}

var _ sources.Sink = (*bundler)(nil)

// settleBundle waits until the vendor is done with the text.
func (p *pass) settleBundle(ctx context.Context) error {
	if !p.facts.Finish || p.opt.DryRun {
		return nil
	}
	if p.opt.NoWait {
		p.entry.Pending = append(p.entry.Pending, Pending{everything, "not waited for (--no-wait)"})
		return nil
	}
	p.progress.stage(StageSettling)
	began := time.Now()
	for pause := firstPoll; ; pause = min(pause*2, slowestPoll) {
		if err := sleep(ctx, pause); err != nil {
			p.entry.Pending = append(p.entry.Pending, Pending{everything, "interrupted; the next pass goes on"})
			return err
		}
		r, err := p.flow.To.(targets.Bundler).BundleStatus(ctx)
		switch {
		case fault.StopsTarget(err) || ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case err == nil && r.Status == targets.StatusDone:
			p.facts.Finish = false
			if !p.sentAt.IsZero() {
				p.entry.Settled = time.Since(p.sentAt)
			}
			return nil
		case err == nil && r.Status == targets.StatusFailed:
			p.facts.Finish, p.facts.Bundle = false, ""
			p.entry.Failed = append(p.entry.Failed, Failed{everything, "the vendor could not train it (" + statusWords(r) + "); the next pass sends it again", 1})
			return nil
		case time.Since(began) > p.limits.SettleTimeout:
			p.entry.Pending = append(p.entry.Pending, Pending{everything, "not trained after " + p.limits.SettleTimeout.String()})
			return nil
		}
	}
}
