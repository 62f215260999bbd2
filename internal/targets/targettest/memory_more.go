package targettest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/targets"
)

// Start implements targets.Settler.
func (m *Memory) Start(ctx context.Context, ids []targets.RemoteID) ([]targets.Result, error) {
	return m.each(ctx, OpStart, ids, func(id targets.RemoteID, v Verdict) (targets.Result, error) {
		d, err := m.find(id)
		if err != nil {
			return targets.Result{}, err
		}
		if v.ParseFails || v.ParseStalls {
			d.fail, d.stall = v.ParseFails, v.ParseStalls
		}
		if d.Status != targets.StatusWorking {
			m.begin(d)
		}
		return targets.Result{ID: id, Status: d.Status}, nil
	})
}

func (m *Memory) begin(d *memoryDoc) {
	d.Status, d.looks, d.since = targets.StatusWorking, 0, time.Now()
	if m.opts.ParseLooks == 0 && m.opts.ParseTime == 0 {
		d.finish()
	}
}

func (d *memoryDoc) finish() {
	switch {
	case d.stall:
	case d.fail, d.broken:
		d.Status = targets.StatusFailed
	default:
		d.Status, d.old = targets.StatusDone, nil
	}
}

// Restart implements targets.Settler. It cures a document that stalled, unless the hook stalls it again.
func (m *Memory) Restart(ctx context.Context, id targets.RemoteID) error {
	return m.call(ctx, Call{Op: OpRestart, ID: id, Name: m.nameOf(id)}, func(v Verdict) error {
		d, err := m.find(id)
		if err != nil {
			return err
		}
		d.fail, d.stall = v.ParseFails, v.ParseStalls
		m.begin(d)
		return nil
	})
}

// Statuses implements targets.Settler; each call is one look.
func (m *Memory) Statuses(ctx context.Context, ids map[targets.RemoteID]string, fn func(targets.Remote)) error {
	var all []targets.Remote
	err := m.call(ctx, Call{Op: OpStatuses}, func(Verdict) error {
		for _, d := range m.docs {
			if d.Status != targets.StatusWorking {
				continue
			}
			if d.looks++; d.looks > m.opts.ParseLooks && time.Since(d.since) >= m.opts.ParseTime {
				d.finish()
			}
		}
		for _, id := range slices.Sorted(maps.Keys(ids)) {
			if d := m.docs[id]; d != nil {
				all = append(all, d.remote())
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range all {
		fn(r)
	}
	return nil
}

// Rename implements targets.Renamer.
func (m *Memory) Rename(ctx context.Context, id targets.RemoteID, name string) (r targets.Remote, err error) {
	err = m.call(ctx, Call{Op: OpRename, ID: id, Name: name}, func(Verdict) error {
		d, err := m.find(id)
		if err != nil {
			return err
		}
		if d.Foreign {
			m.violate("renamed %s %q, which is somebody else's", id, d.Name)
		}
		if other := m.names[name]; other != nil && other != d {
			return fault.New(fault.ErrConflict, "memory: %s has the name %q already", other.ID, name)
		}
		m.unname(d)
		d.Name, m.names[name] = name, d
		if m.opts.Fresh {
			d.Status = targets.StatusWaiting
		}
		r = d.remote()
		return nil
	})
	return r, err
}

// Download implements targets.Downloader.
func (m *Memory) Download(ctx context.Context, id targets.RemoteID) (rc io.ReadCloser, err error) {
	err = m.call(ctx, Call{Op: OpDownload, ID: id, Name: m.nameOf(id)}, func(Verdict) error {
		d, err := m.find(id)
		if err != nil {
			return err
		}
		rc = io.NopCloser(bytes.NewReader(bytes.Clone(d.Content)))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rc, nil
}

// Link implements targets.Linker.
func (m *Memory) Link(ctx context.Context, r targets.LinkRequest) (res targets.LinkResult, err error) {
	var drop []string
	for _, a := range r.Ours {
		if !slices.Contains(r.Want, a) && !slices.Contains(drop, a) {
			drop = append(drop, a)
		}
	}
	for i, a := range r.Want {
		if slices.Contains(r.Want[:i], a) {
			continue
		}
		if !r.Searchable && !r.DryRun {
			if slices.Contains(r.Ours, a) {
				res.Ours = append(res.Ours, a)
			} else {
				res.Waiting = true
			}
			continue
		}
		if err := m.link(ctx, a, r, &res); err != nil {
			return res, err
		}
	}
	if len(res.Problems) > 0 && len(drop) > 0 {
		res.Ours = append(res.Ours, drop...)
		res.Problems[0] = targets.StaysConnected(res.Problems[0], drop)
		drop = nil
	}
	for _, a := range drop {
		if err := m.unlink(ctx, a, r.DryRun, &res); err != nil {
			return res, err
		}
	}
	slices.Sort(res.Ours)
	return res, nil
}

func (m *Memory) unlink(ctx context.Context, a string, dry bool, res *targets.LinkResult) error {
	err := m.call(ctx, Call{Op: OpUnlink, ID: targets.RemoteID(a)}, func(Verdict) error {
		if m.agents[a] != "ours" {
			return nil
		}
		if !dry {
			m.agents[a] = ""
		}
		res.Unassigned = append(res.Unassigned, a)
		return nil
	})
	if err == nil {
		return nil
	}
	res.Ours = append(res.Ours, a)
	return problem(ctx, err, res)
}

func (m *Memory) link(ctx context.Context, a string, r targets.LinkRequest, res *targets.LinkResult) error {
	connected := false
	err := m.call(ctx, Call{Op: OpLink, ID: targets.RemoteID(a)}, func(Verdict) error {
		use, known := m.agents[a]
		switch {
		case !known:
			return fault.New(fault.ErrNotFound, "memory: no agent %s", a)
		case use == "ours":
			connected = true
			return nil
		case use != "":
			return fault.New(fault.ErrConflict, "memory: agent %s uses %s", a, use)
		}
		if !r.DryRun {
			m.agents[a] = "ours"
		}
		connected = true
		res.Assigned = append(res.Assigned, a)
		return nil
	})
	if connected || slices.Contains(r.Ours, a) {
		res.Ours = append(res.Ours, a)
	}
	return problem(ctx, err, res)
}

// problem files the error of one agent, or gives it back when it stops everything.
func problem(ctx context.Context, err error, res *targets.LinkResult) error {
	if err == nil {
		return nil
	}
	if fault.StopsTarget(err) || ctx.Err() != nil {
		return err
	}
	res.Problems = append(res.Problems, err)
	return nil
}

// Finish implements targets.Finisher.
func (m *Memory) Finish(ctx context.Context) error {
	return m.call(ctx, Call{Op: OpFinish}, func(Verdict) error { return nil })
}

// Traffic implements targets.Metered.
func (m *Memory) Traffic() (requests, bytesSent int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.calls)), m.sent
}

// Place implements targets.Placed.
func (m *Memory) Place() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return targets.PlaceOf(secret.String{}, m.place)
}

// SetPlace makes Place tell of another place. What the store holds stays.
func (m *Memory) SetPlace(place string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.place = place
}

// Plain hides every optional ability of a target.
func Plain(t targets.Target) targets.Target { return struct{ targets.Target }{t} }
