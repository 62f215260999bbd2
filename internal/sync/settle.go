package sync

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

const (
	firstPoll   = 250 * time.Millisecond
	steadyPoll  = time.Second
	slowestPoll = 15 * time.Second
	// pollFailures is how many looks in a row may fail before the rest is left to the next pass.
	pollFailures = 3
	// longestWait is how many times the settle timeout a document may take in all, whatever its progress.
	longestWait = 6
)

// settleUp sends what is batched, waits until it is searchable, and retires what it replaces.
func (p *pass) settleUp(ctx context.Context) error {
	if p.opt.DryRun {
		for _, j := range p.settling {
			p.entry.wait(j.doc.Key, "not searchable yet")
		}
		p.settling = nil
		return nil
	}
	if err := p.drain(ctx); err != nil {
		return errors.Join(err, p.sender.wait())
	}
	if err := p.sender.flush(ctx); err != nil {
		return err
	}
	// What was learnt so far goes first, so that it never overwrites what settling finds out.
	if err := p.flushPuts(); err != nil {
		return err
	}
	jobs := p.settling
	p.settling = nil
	if err := p.settle(ctx, jobs); err != nil {
		return err
	}
	return p.retire(ctx)
}

// unsettled is one remote document that is not searchable yet.
type unsettled struct {
	job     *job
	part    int
	started bool // we asked for indexing in this pass
	retried bool // a failure or a standstill was answered with another try
	words   map[string]bool
	first   time.Time // when the waiting began
	since   time.Time // of the last progress
	seen    bool
	detail  string // the vendor's reason for what it last said
	said    string // what it last said
}

// wordsKept is how many different states of a document count as progress.
const wordsKept = 256

// notice takes a state that the vendor tells. Only one that was not seen before is progress: a status that flaps stands still.
func (u *unsettled) notice(word string) {
	if u.words[word] || len(u.words) >= wordsKept {
		return
	}
	if u.words == nil {
		u.words = map[string]bool{}
	}
	u.words[word] = true
	u.since = time.Now()
}

// settle waits until the documents are searchable. Documents that fail or stand still are tried once more, then reported.
func (p *pass) settle(ctx context.Context, jobs []*job) error {
	settler, ok := p.flow.To.(targets.Settler)
	if !ok {
		return p.settled(jobs)
	}
	wait := map[targets.RemoteID]*unsettled{}
	var done []*job
	for _, j := range jobs {
		j.open = 0
		for i, pt := range j.parts {
			if pt.status != targets.StatusDone {
				j.open++
				if wait[pt.id] != nil {
					p.unsure = true
					p.failJob(j, fault.New(fault.ErrUnknown, "the vendor gave one id (%s) to two documents", pt.id).WithHint("the next pass looks which is which"))
					continue
				}
				wait[pt.id] = &unsettled{job: j, part: i, started: pt.begun, first: time.Now(), since: time.Now()}
			}
		}
		if j.open == 0 {
			done = append(done, j)
		}
	}
	if err := p.settled(done); err != nil {
		return err
	}
	if p.opt.NoWait || len(wait) == 0 {
		if err := p.startIdle(ctx, settler, wait); err != nil {
			return err
		}
		p.leave(wait, "not waited for (--no-wait)")
		return nil
	}
	// A pass that trusts its records and has sent nothing does not know the store yet.
	if err := p.connect(ctx); err != nil {
		p.leave(wait, "unknown: "+oneLine(err))
		return err
	}
	p.progress.stage(StageSettling)
	p.progress.ToSettle.Add(int64(len(wait)))
	return p.poll(ctx, settler, wait)
}

// startIdle starts documents of earlier passes that nobody started, when this pass will not look at them again.
func (p *pass) startIdle(ctx context.Context, s targets.Settler, wait map[targets.RemoteID]*unsettled) error {
	var ids []targets.RemoteID
	for id, u := range wait {
		if !u.started && u.job.parts[u.part].status == targets.StatusWaiting {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	_, err := p.startAll(ctx, s, ids)
	return err
}

// startAll starts any number of documents, a batch at a time.
func (p *pass) startAll(ctx context.Context, s targets.Settler, ids []targets.RemoteID) (map[targets.RemoteID]error, error) {
	bad := map[targets.RemoteID]error{}
	if len(ids) == 0 {
		return bad, nil
	}
	if err := p.connect(ctx); err != nil {
		return bad, err
	}
	for chunk := range slices.Chunk(ids, max(1, p.limits.BatchFiles)) {
		if err := ctx.Err(); err != nil {
			return bad, err
		}
		b, err := start(ctx, s, chunk)
		if err != nil {
			return bad, err
		}
		maps.Copy(bad, b)
	}
	return bad, nil
}

// poll looks again and again, at growing intervals, until nothing is waited for.
func (p *pass) poll(ctx context.Context, s targets.Settler, wait map[targets.RemoteID]*unsettled) error {
	pause, failures := firstPoll, 0
	for len(wait) > 0 {
		if err := sleep(ctx, pause); err != nil {
			p.leave(wait, "interrupted; the next pass goes on")
			return err
		}
		before := len(wait)
		err := p.look(ctx, s, wait)
		switch {
		case ctx.Err() != nil:
			p.leave(wait, "interrupted; the next pass goes on")
			return ctx.Err()
		case fault.StopsTarget(err):
			p.leave(wait, "unknown: "+oneLine(err))
			return err
		case err != nil:
			if failures++; failures >= pollFailures {
				p.leave(wait, "unknown: "+oneLine(err))
				return nil
			}
		default:
			failures = 0
		}
		switch {
		case pause < steadyPoll:
			pause *= 2
		case len(wait) < before:
			pause = steadyPoll
		default:
			pause = min(pause*3/2, slowestPoll)
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// look asks for the statuses once and acts on them.
func (p *pass) look(ctx context.Context, s targets.Settler, wait map[targets.RemoteID]*unsettled) error {
	names := make(map[targets.RemoteID]string, len(wait))
	for id, u := range wait {
		u.seen = false
		names[id] = p.remoteName(u.job.doc.Key, u.job.parts[u.part])
	}
	var done []*job
	var again, retry []targets.RemoteID // to be started, to be restarted
	var useless []*unsettled            // failed for good
	err := s.Statuses(ctx, names, func(r targets.Remote) {
		u := wait[r.ID]
		if u == nil {
			return
		}
		u.seen = true
		u.notice(r.Word + r.Progress)
		u.detail, u.said = r.Detail, statusWords(r)
		pt := &u.job.parts[u.part]
		pt.status = r.Status
		switch r.Status {
		case targets.StatusDone:
			delete(wait, r.ID)
			p.progress.Settled.Add(1)
			if u.job.open--; u.job.open == 0 && u.job.err == nil {
				done = append(done, u.job)
			}
		case targets.StatusFailed:
			if u.retried {
				p.failSettling(wait, r.ID, fault.New(fault.ErrRejected, "the vendor could not parse it (%s)", statusWords(r)).
					WithHint("check that the file opens and holds text"))
				// What an earlier pass left is not deleted because the vendor's parser has a bad day.
				_, inPlace := p.flow.To.(targets.Replacer)
				if inPlace && !pt.sent {
					pt.old = pt.id // the next pass gives it its content once more
				}
				if pt.sent || inPlace {
					useless = append(useless, u)
				}
				return
			}
			retry = append(retry, r.ID)
		case targets.StatusWaiting, targets.StatusCancelled:
			if !u.started {
				again = append(again, r.ID)
			}
		}
	})
	if err != nil {
		return err
	}
	// Only a complete look proves that a document vanished.
	for id, u := range wait {
		if !u.seen {
			p.unsure = true
			p.failSettling(wait, id, fault.New(fault.ErrNotFound, "it vanished at the vendor after it was sent").WithHint("the next pass sends it again"))
		}
	}
	if err := p.settled(done); err != nil {
		return err
	}
	if err := p.discard(ctx, useless); err != nil {
		return err
	}
	if err := p.restart(ctx, s, wait, retry); err != nil {
		return err
	}
	return p.begin(ctx, s, wait, again)
}

// discard deletes remote documents that failed for good, so that they do not pile up. Their records say that the parts
// are missing, and the next pass sends them anew; an older version is not touched. One that took its content in place still answers
// with the version before: it stays, and its record says that it is out of date.
func (p *pass) discard(ctx context.Context, useless []*unsettled) error {
	if len(useless) == 0 {
		return nil
	}
	var ids []targets.RemoteID
	for _, u := range useless {
		if pt := &u.job.parts[u.part]; pt.old == "" {
			ids = append(ids, pt.id)
		} else {
			pt.hash = kb.PartHash{}
		}
	}
	if len(ids) > 0 {
		if err := p.connect(ctx); err != nil {
			return err
		}
	}
	bad, err := p.deleteIDs(ctx, ids)
	if err != nil {
		return err
	}
	for _, u := range useless {
		switch pt := &u.job.parts[u.part]; {
		case pt.old != "":
		case bad[pt.id] != nil:
			p.unsure = true
		default:
			pt.id = ""
		}
	}
	return p.DB.Update(p.id, func(w *state.Writer) error {
		for _, u := range useless {
			if err := p.store(w, u.job, false); err != nil {
				return err
			}
		}
		return nil
	})
}

func statusWords(r targets.Remote) string {
	w := "status " + r.Word
	if r.Detail != "" {
		w += ": " + r.Detail
	}
	return w
}

// begin starts documents; those that cannot be started are failures.
func (p *pass) begin(ctx context.Context, s targets.Settler, wait map[targets.RemoteID]*unsettled, ids []targets.RemoteID) error {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	ids = slices.DeleteFunc(ids, func(id targets.RemoteID) bool { return wait[id] == nil })
	bad, err := p.startAll(ctx, s, ids)
	for _, id := range ids {
		if wait[id] != nil {
			wait[id].started = true
		}
	}
	for id, why := range bad {
		if wait[id] != nil {
			p.failSettling(wait, id, why)
		}
	}
	return err
}

// restart gives documents that failed or stand still one more chance.
func (p *pass) restart(ctx context.Context, s targets.Settler, wait map[targets.RemoteID]*unsettled, retry []targets.RemoteID) error {
	for id, u := range wait {
		switch {
		case p.limits.SettleTimeout <= 0 || slices.Contains(retry, id) ||
			time.Since(u.since) < p.limits.SettleTimeout && time.Since(u.first) < longestWait*p.limits.SettleTimeout:
		case u.retried || time.Since(u.first) > longestWait*p.limits.SettleTimeout:
			delete(wait, id)
			why := "no progress for " + p.limits.SettleTimeout.String() + ", twice (status " + u.job.parts[u.part].status.String() + ")"
			if u.detail != "" {
				why += ": " + u.detail
			}
			p.giveUp(u, why)
		default:
			retry = append(retry, id)
		}
	}
	slices.Sort(retry)
	var hopeless []*unsettled
	for _, id := range retry {
		u := wait[id]
		u.retried, u.started, u.since = true, true, time.Now()
		if err := p.connect(ctx); err != nil {
			return err
		}
		err := s.Restart(ctx, id)
		switch {
		case err == nil:
		case fault.StopsTarget(err) || ctx.Err() != nil:
			return err
		case errors.Is(err, fault.ErrUnsupported):
			// Only sending it anew can help, which the next pass does.
			hopeless = append(hopeless, u)
			p.failSettling(wait, id, fault.New(fault.ErrRejected, "the vendor could not process it (%s)", u.said).
				WithHint("the next pass sends it anew"))
		default:
			p.log.Warn("restart failed", "key", u.job.doc.Key, "err", err)
		}
	}
	return p.discard(ctx, hopeless)
}

// failSettling reports a document whose part will not become searchable. Its older version stays.
func (p *pass) failSettling(wait map[targets.RemoteID]*unsettled, id targets.RemoteID, err error) {
	u := wait[id]
	delete(wait, id)
	p.failJob(u.job, err)
}

func (p *pass) failJob(j *job, err error) {
	if j.err == nil {
		j.err = err
		p.await(j)
		p.entry.failDocument(j.doc.Key, err)
	}
}

func (p *pass) giveUp(u *unsettled, status string) {
	if u.job.err == nil {
		u.job.err = fault.New(fault.ErrConflict, "%s", status)
		p.await(u.job)
		p.entry.wait(u.job.doc.Key, status)
	}
}

// await notes that the present content of a document is not searchable.
func (p *pass) await(j *job) { p.awaited[signatureOf(j.parts).hash] = true }

// leave reports everything that is still waited for; its records say that it is not settled.
func (p *pass) leave(wait map[targets.RemoteID]*unsettled, status string) {
	jobs := make([]*unsettled, 0, len(wait))
	for id, u := range wait {
		jobs = append(jobs, u)
		delete(wait, id)
	}
	slices.SortFunc(jobs, func(a, b *unsettled) int { return compareKeys(a.job, b.job) })
	for _, u := range jobs {
		p.giveUp(u, status)
	}
}

// settled records documents that are searchable now.
func (p *pass) settled(jobs []*job) error {
	if len(jobs) == 0 {
		return nil
	}
	p.searchable = true
	if !p.sentAt.IsZero() {
		p.entry.Settled = time.Since(p.sentAt)
	}
	slices.SortFunc(jobs, compareKeys)
	// A commit copies every page that it touches, so a large one would make the file grow for good.
	for chunk := range slices.Chunk(jobs, commitChunk) {
		err := p.DB.Update(p.id, func(w *state.Writer) error {
			for _, j := range chunk {
				if err := p.store(w, j, true); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, j := range jobs {
		if j.action != "" {
			p.changed = true
		}
		if len(j.retire) > 0 || p.roster != nil {
			p.ready = append(p.ready, j)
		}
	}
	return nil
}

func compareKeys(a, b *job) int {
	switch {
	case a.doc.Key < b.doc.Key:
		return -1
	case a.doc.Key > b.doc.Key:
		return 1
	}
	return 0
}
