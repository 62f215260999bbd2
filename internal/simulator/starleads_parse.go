package simulator

import (
	"net/http"
	"strings"
	"time"
)

// job is the parsing of one document.
type job struct {
	doc       *document
	end       time.Time // once started
	fails     bool
	started   bool
	cancelled bool
}

// parseQueue works out, whenever it is asked, which jobs have ended by then: there is no goroutine and no timer behind
// it. All jobs take equally long, so they end in the order in which they start.
type parseQueue struct {
	delay   time.Duration
	slots   int // 0 means no limit
	active  int // jobs in running that are not cancelled
	running []*job
	waiting []*job
}

// advance ends the jobs whose time has come and starts others in their place.
func (q *parseQueue) advance(now time.Time) {
	for len(q.running) > 0 && !q.running[0].end.After(now) {
		j := q.running[0]
		q.running[0] = nil
		q.running = q.running[1:]
		if j.cancelled {
			continue
		}
		q.active--
		j.doc.job = nil
		j.doc.status = StatusDone
		if j.fails {
			j.doc.status = StatusFailed
		}
		q.fill(j.end)
	}
}

// fill starts waiting jobs at the given time while there are slots.
func (q *parseQueue) fill(at time.Time) {
	for len(q.waiting) > 0 && (q.slots <= 0 || q.active < q.slots) {
		j := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		if j.cancelled {
			continue
		}
		j.started, j.end = true, at.Add(q.delay)
		q.running = append(q.running, j)
		q.active++
	}
}

func (q *parseQueue) add(j *job, now time.Time) {
	q.waiting = append(q.waiting, j)
	q.fill(now)
}

func (q *parseQueue) cancel(j *job, now time.Time) {
	j.cancelled = true
	if j.started {
		q.active--
		q.fill(now)
	}
}

// trigger drops the chunks of a document and queues it for parsing. The lock must be held.
func (s *Starleads) trigger(d *document, hooks Faults) {
	d.status = StatusRunning
	if hooks.ParseStall != nil && hooks.ParseStall(d.name) {
		return
	}
	methods, known := parsable[d.method]
	fails := len(d.content) == 0 || known && !methods[extension(d.name)]
	if hooks.ParseFail != nil && hooks.ParseFail(d.name) {
		fails = true
	}
	d.job = &job{doc: d, fails: fails}
	s.queue.add(d.job, time.Now())
}

// cancel takes a document out of the queue; its status is the caller's to set. The lock must be held.
func (s *Starleads) cancel(d *document) {
	if d.job != nil {
		s.queue.cancel(d.job, time.Now())
		d.job = nil
	}
}

// parse triggers the parsing of documents one after the other. It stops at the first that is busy, and complains about
// unknown ids once the others are queued.
func (s *Starleads) parse(c *call) answer {
	return s.eachDocument(c, func(d *document, hooks Faults) (answer, bool) {
		if d.status == StatusRunning {
			return s.busy("The document %s (%s) is already being processed.", d.id, d.name), false
		}
		s.trigger(d, hooks)
		return answer{}, true
	})
}

// stop ends the parsing of documents one after the other and drops their chunks, with the same order of errors as parse.
func (s *Starleads) stop(c *call) answer {
	return s.eachDocument(c, func(d *document, _ Faults) (answer, bool) {
		if d.status != StatusRunning {
			return problem(http.StatusBadRequest, "Can't stop parsing document %s (%s): it is not running.", d.id, d.name), false
		}
		s.cancel(d)
		d.status = StatusCancelled
		return answer{}, true
	})
}

func (s *Starleads) eachDocument(c *call, do func(*document, Faults) (bad answer, ok bool)) answer {
	var body struct {
		DocumentIDs []idValue `json:"documentIds"`
	}
	if bad, ok := s.readJSON(c, &body, false); !ok {
		return bad
	}
	ids, bad, ok := s.readIDs(c, "documentIds", body.DocumentIDs)
	if !ok {
		return bad
	}
	hooks := s.hooks()
	s.lock()
	defer s.mu.Unlock()
	ds := s.findDataset(c.args[0])
	if ds == nil {
		return s.unknown("dataset", c.args[0])
	}
	var missing []string
	for _, id := range ids {
		d := s.docs[id]
		if d == nil || d.ds != ds {
			missing = append(missing, id)
			continue
		}
		if bad, ok := do(d, hooks); !ok {
			return bad
		}
	}
	if len(missing) > 0 {
		return s.unknown("document", strings.Join(missing, ", "))
	}
	return success()
}
