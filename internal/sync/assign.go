package sync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

// assignChunk is how many remote documents an agent is given at a time.
const assignChunk = 100

// roster is who should have which documents, at vendors that hand them out one by one.
type roster struct {
	to     targets.Assigner
	agents []*member
}

// member is one agent.
type member struct {
	Agent
	leaving bool // no longer in the configuration: what we gave it is taken back
	asked   bool
	held    map[targets.RemoteID]bool // what it holds
	unknown bool                      // the vendor cannot tell what it holds
	fits    bool                      // there is a document for it in the sources
	err     error                     // why it cannot be served in this pass
	gone    bool                      // the vendor does not know it, nor did it in the pass before
	// How many documents more and less it has after this pass.
	more, less int
}

func newRoster(to targets.Assigner, agents []Agent) *roster {
	r := &roster{to: to}
	for _, a := range agents {
		r.agents = append(r.agents, &member{Agent: a})
	}
	return r
}

// addLeaving adds the agents that we gave documents to and that the configuration no longer names.
func (r *roster) addLeaving(linked []string) {
	for _, id := range linked {
		if !slices.ContainsFunc(r.agents, func(m *member) bool { return m.ID == id }) {
			r.agents = append(r.agents, &member{Agent: Agent{ID: id}, leaving: true})
		}
	}
}

// troubled tells whether an agent of the configuration cannot be served.
func (r *roster) troubled() bool {
	return slices.ContainsFunc(r.agents, func(m *member) bool { return !m.leaving && m.err != nil })
}

// see notes for whom there is a document; the scan calls it.
func (r *roster) see(k kb.Key) {
	for _, m := range r.agents {
		m.fits = m.fits || !m.leaving && m.Agent.wants(k)
	}
}

// warnOfMatches tells of agents whose match fits none of the documents.
func (p *pass) warnOfMatches() {
	const text = "the match of the agent fits no document; globs match the whole key, which begins with the name of the source"
	seen := 0
	for _, t := range p.sources {
		seen += t.seen
	}
	switch {
	case seen == 0 || len(p.sourceErrs) > 0:
	case p.roster != nil:
		for _, m := range p.roster.agents {
			if m.Match != nil && !m.leaving && !m.fits {
				p.log.Warn(text, "agent", m.ID, "match", m.Rule)
			}
		}
	case p.flow.Copy.Match != nil && !p.flow.Leaving && p.wanted == 0:
		p.log.Warn(text, "match", p.flow.Copy.Rule)
	}
}

// names are those given and all agents of the configuration, sorted.
func (r *roster) names(known []string) []string {
	out := slices.Clone(known)
	for _, m := range r.agents {
		out = append(out, m.ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// grows tells whether there are agents that are not among those known.
func (r *roster) grows(known []string) bool {
	return slices.ContainsFunc(r.agents, func(m *member) bool { return !slices.Contains(known, m.ID) })
}

// wants tells whether the agent should have a document, of which the record says whom it names.
func (m *member) wants(k kb.Key, rec state.Record) bool {
	return !m.leaving && m.Agent.wants(k) && (!rec.Narrowed || slices.Contains(rec.Agents, m.ID))
}

// ask finds out what the agent holds, once a pass. False says that the agent cannot be served; an error stops the target.
func (p *pass) ask(ctx context.Context, m *member) (bool, error) {
	if m.asked {
		return m.err == nil, nil
	}
	held, err := p.roster.to.Assigned(ctx, m.ID)
	if err != nil {
		return false, p.miss(ctx, m, err)
	}
	m.asked, m.held, m.unknown = true, held, held == nil
	if m.unknown {
		m.held = map[targets.RemoteID]bool{}
	}
	p.facts.Missing = without(p.facts.Missing, m.ID)
	if err := p.misfit(m); err != nil {
		return false, p.miss(ctx, m, err)
	}
	return true, nil
}

// misfit refuses a match that fits none of the recorded documents, though the agent holds some of them: more likely than an agent
// that is to know nothing is a slip of the pen.
func (p *pass) misfit(m *member) error {
	if m.Match == nil || m.leaving || p.opt.AllowDeletes {
		return nil
	}
	documents, holds := 0, false
	for reader := p.DB.Records(p.id, ""); ; {
		k, v, ok, err := reader.Next()
		switch {
		case err != nil:
			return err
		case !ok && holds:
			return fault.New(fault.ErrConflict, "its match fits none of %d documents, so nothing was taken from it", documents).
				WithHint("put the match right; when the agent is to have none of them, run once with --allow-deletes")
		case !ok:
			return nil
		case m.Agent.wants(kb.Key(k)):
			return nil
		}
		rec, err := state.DecodeRecord(kb.Key(k), v)
		if err != nil {
			return fmt.Errorf("%w: record of %s", state.ErrDamaged, kb.Printable(string(k)))
		}
		documents++
		holds = holds || slices.ContainsFunc(rec.Parts, func(pt state.Part) bool { return m.held[targets.RemoteID(pt.ID)] })
	}
}

// miss notes that an agent cannot be served, which is one error for the agent, whatever the number of documents. What it returns
// stops the target.
func (p *pass) miss(ctx context.Context, m *member, err error) error {
	if fault.StopsTarget(err) || ctx.Err() != nil {
		return err
	}
	m.asked = true
	if errors.Is(err, fault.ErrNotFound) {
		// Once may be the vendor's mistake; twice, in two passes, is no more.
		m.gone = slices.Contains(p.facts.Missing, m.ID)
		p.facts.Missing = append(without(p.facts.Missing, m.ID), m.ID)
		p.unsure = p.unsure || !m.gone
		if m.leaving && m.gone {
			m.err = err // it needs nothing taken back
			return nil
		}
	}
	m.err = fmt.Errorf("agent %s: %w", kb.Printable(m.ID), err)
	p.facts.Link = "" // the next pass looks at every agent again
	p.unsure = p.unsure || !errors.Is(err, fault.ErrNotFound)
	p.entry.fail(m.err)
	return nil
}

func without(list []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
}

// give changes what an agent holds, where that is needed.
func (p *pass) give(ctx context.Context, m *member, add, drop []targets.RemoteID) error {
	add = slices.DeleteFunc(add, func(id targets.RemoteID) bool { return m.held[id] })
	if !m.unknown {
		drop = slices.DeleteFunc(drop, func(id targets.RemoteID) bool { return !m.held[id] })
	}
	if len(add)+len(drop) == 0 || p.opt.DryRun {
		return nil
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	// Whom we gave something is remembered before it is given, so that it can be taken back whatever happens.
	if len(add) > 0 && !slices.Contains(p.facts.Linked, m.ID) {
		p.facts.Linked = slices.Sorted(slices.Values(append(slices.Clone(p.facts.Linked), m.ID)))
		if err := p.writeFacts(); err != nil {
			return err
		}
	}
	if err := p.roster.to.Assign(ctx, m.ID, add, drop); err != nil {
		return err
	}
	for _, id := range add {
		m.held[id] = true
	}
	for _, id := range drop {
		delete(m.held, id)
	}
	return nil
}

// handOver gives every agent the versions that are searchable now and takes away those that they replace. It returns the
// documents whose older versions no agent needs any more.
func (p *pass) handOver(ctx context.Context, jobs []*job) ([]*job, error) {
	if p.roster == nil || len(jobs) == 0 {
		return jobs, nil
	}
	p.roster.addLeaving(p.facts.Linked)
	keep := map[*job]bool{}
	for _, m := range p.roster.agents {
		if m.leaving && p.roster.troubled() {
			// The agent that cannot be reached may be this one, misspelt: it keeps what it has.
			for _, j := range jobs {
				keep[j] = keep[j] || len(j.retire) > 0
			}
			continue
		}
		for chunk := range slices.Chunk(jobs, assignChunk) {
			ok, err := p.ask(ctx, m)
			if err == nil && ok {
				if err = p.handTo(ctx, m, chunk); err != nil {
					err = p.miss(ctx, m, err)
				}
			}
			if err != nil {
				return nil, err
			}
			// An agent that is gone needs no older version; of any other at fault nobody knows what it holds.
			for _, j := range chunk {
				keep[j] = keep[j] || m.err != nil && !m.gone
			}
		}
	}
	p.unsure = p.unsure || slices.ContainsFunc(jobs, func(j *job) bool { return keep[j] })
	return slices.DeleteFunc(jobs, func(j *job) bool { return keep[j] }), nil
}

// handTo gives one agent a chunk of documents, and counts what is new to it.
func (p *pass) handTo(ctx context.Context, m *member, jobs []*job) error {
	var add, drop []targets.RemoteID
	more, less, given := 0, 0, 0
	for _, j := range jobs {
		wants := m.wants(j.doc.Key, j.rec)
		had := slices.ContainsFunc(j.retire, func(id targets.RemoteID) bool { return m.held[id] })
		fresh := false
		for _, pt := range j.parts {
			if wants {
				add = append(add, pt.id)
				fresh = fresh || !m.held[pt.id]
				had = had || m.held[pt.id]
			} else {
				drop = append(drop, pt.id)
				had = had || m.held[pt.id]
			}
		}
		drop = append(drop, j.retire...)
		switch {
		case wants && fresh:
			given++
			if !had {
				more++
			}
		case !wants && had:
			less++
		}
	}
	if err := p.give(ctx, m, add, drop); err != nil {
		return err
	}
	p.entry.Assigned += given
	p.entry.Unassigned += less
	m.more += more
	m.less += less
	return nil
}

// release takes remote documents away from every agent before they are deleted. It gives those that an agent may still hold.
func (p *pass) release(ctx context.Context, ids []targets.RemoteID) (kept map[targets.RemoteID]error, err error) {
	kept = map[targets.RemoteID]error{}
	if p.roster == nil || len(ids) == 0 {
		return kept, nil
	}
	p.roster.addLeaving(p.facts.Linked)
	for _, m := range p.roster.agents {
		ok, err := p.ask(ctx, m)
		if err != nil {
			return kept, err
		}
		if ok {
			n := countHeld(m, ids)
			if err := p.give(ctx, m, nil, slices.Clone(ids)); err != nil {
				if err := p.miss(ctx, m, err); err != nil {
					return kept, err
				}
			} else {
				m.less += n
			}
		}
		if m.err == nil || m.gone {
			continue
		}
		for _, id := range ids {
			if m.held == nil || m.unknown || m.held[id] {
				kept[id] = m.err
			}
		}
	}
	return kept, nil
}

func countHeld(m *member, ids []targets.RemoteID) (n int) {
	for _, id := range ids {
		if m.held[id] {
			n++
		}
	}
	return n
}

// assignAll compares what every agent holds with what it should, when there is reason to: the store was listed, or the agents of the
// configuration changed.
func (p *pass) assignAll(ctx context.Context) error {
	p.roster.addLeaving(p.facts.Linked)
	digest := p.rosterDigest()
	if p.facts.Link == digest && p.index == nil {
		return nil
	}
	p.progress.stage(StageLinking)
	whole := true
	for _, m := range p.roster.agents {
		if m.leaving && p.roster.troubled() {
			whole = false
			p.entry.fail(fmt.Errorf("agent %s keeps its documents until that is put right", kb.Printable(m.ID)))
			continue
		}
		ok, err := p.ask(ctx, m)
		if err != nil {
			return err
		}
		switch {
		case ok && p.opt.DryRun && p.index != nil:
			err = p.handTo(ctx, m, p.ready) // the records do not know them yet
		case ok:
			err = p.compare(ctx, m)
		}
		if err != nil {
			if err = p.miss(ctx, m, err); err != nil {
				return err
			}
		}
		whole = whole && (m.err == nil || m.leaving && m.gone)
		if m.leaving && (m.err == nil || m.gone) && !p.opt.DryRun {
			p.facts.Linked, p.facts.Missing = without(p.facts.Linked, m.ID), without(p.facts.Missing, m.ID)
		}
	}
	if whole {
		p.facts.Link = p.rosterDigest()
	} else {
		p.facts.Link = ""
	}
	return nil
}

// rosterDigest names who should have what.
func (p *pass) rosterDigest() string {
	rules := map[string]string{}
	for _, m := range p.roster.agents {
		if !m.leaving {
			rules[m.ID] = m.Rule
		}
	}
	var text strings.Builder
	text.WriteString(p.place())
	for _, id := range slices.Sorted(maps.Keys(rules)) {
		fmt.Fprintf(&text, " %q %q", id, rules[id])
	}
	for _, id := range p.facts.Linked {
		if _, ok := rules[id]; !ok {
			fmt.Fprintf(&text, " -%q", id)
		}
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:8])
}

// compare gives an agent what it lacks of the recorded documents and takes away what it should not have of them. Of documents on
// their way it takes nothing: the older version serves until the new one is there.
func (p *pass) compare(ctx context.Context, m *member) error {
	var add, drop []targets.RemoteID
	more, less := 0, 0
	flush := func() error {
		if err := p.give(ctx, m, add, drop); err != nil {
			return err
		}
		p.entry.Assigned += more
		p.entry.Unassigned += less
		m.more += more
		m.less += less
		add, drop, more, less = nil, nil, 0, 0
		return nil
	}
	for reader := p.DB.Records(p.id, ""); ; {
		k, v, ok, err := reader.Next()
		if err != nil {
			return err
		}
		if !ok {
			if p.index != nil {
				drop = append(drop, p.index.retired...)
			}
			return flush()
		}
		key := kb.Key(k)
		rec, err := state.DecodeRecord(key, v)
		if err != nil {
			return fmt.Errorf("%w: record of %s", state.ErrDamaged, kb.Printable(string(key)))
		}
		if (rec.Skipped != "" || !rec.Settled) && !m.leaving {
			continue
		}
		wants := m.wants(key, rec)
		lacks, has := false, false
		for _, pt := range rec.Parts {
			id := targets.RemoteID(pt.ID)
			lacks = lacks || !m.held[id]
			has = has || m.held[id]
			if wants {
				add = append(add, id)
			} else {
				drop = append(drop, id)
			}
		}
		for _, id := range rec.Retire {
			drop = append(drop, targets.RemoteID(id))
		}
		switch {
		case wants && lacks:
			more++
		case !wants && has:
			less++
		}
		if len(add)+len(drop) >= assignChunk {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}

// planAgents counts, for a dry run, what the documents that it would send change for the agents.
func (p *pass) planAgents(j *job) {
	if p.roster == nil {
		return
	}
	for _, m := range p.roster.agents {
		if !m.wants(j.doc.Key, j.rec) {
			continue
		}
		p.entry.Assigned++
		if j.action == ActionUpload {
			m.more++
		}
	}
}

// planRelease counts, for a dry run, what a deletion changes for the agents.
func (p *pass) planRelease(g gone) {
	if p.roster == nil || g.key == "" {
		return
	}
	for _, m := range p.roster.agents {
		if m.wants(g.key, state.Record{}) {
			m.less++
		}
	}
}

// noteAgents lists in the report what changed for each agent.
func (p *pass) noteAgents() {
	if p.roster == nil || !p.opt.KeepChanges {
		return
	}
	for _, m := range p.roster.agents {
		if m.more > 0 {
			p.entry.Changes = append(p.entry.Changes, Change{Action: ActionAssign, Document: kb.Printable(m.ID), Documents: m.more})
		}
		if m.less > 0 {
			p.entry.Changes = append(p.entry.Changes, Change{Action: ActionUnassign, Document: kb.Printable(m.ID), Documents: m.less})
		}
	}
}
