package targettest

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/targets"
)

// AsLinks makes the store take addresses in place of contents and fetch the pages itself, for this and every other shape of
// it. Such documents have names like all others.
func (m *Memory) AsLinks() targets.Target {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opts.Limits.Links = true
	return m
}

// AsBareLinks is the store as AsReplacer gives it, but it takes addresses as well. What it makes of them has no name and is known by
// its address: a second document for one address is not made, the first is adopted. Replace deletes it and creates it again, under
// another id: to the hook, OpReplace is the deletion and OpUpload the creation.
func (m *Memory) AsBareLinks() targets.Target {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opts.Limits.Links, m.bare = true, true
	return replacer{m, m}
}

// SetPage says what stands at an address from now on. Documents keep what stood there when they were made, which is the
// address itself when nothing was set.
func (m *Memory) SetPage(address, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pages[address] = page{text: text}
}

// BreakPage says that nothing can be fetched from an address from now on: documents made of it fail.
func (m *Memory) BreakPage(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pages[address] = page{broken: true}
}

// SetPages asks fn, in place of SetPage and BreakPage, what stands at an address whenever a document is made of one;
// false says that nothing can be fetched. It runs without locks.
func (m *Memory) SetPages(fn func(address string) (text string, ok bool)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ask = fn
}

// PutLink adds a document of somebody else for an address, ready to be found. Where such documents have no names the
// name is not used.
func (m *Memory) PutLink(name, address string) targets.RemoteID {
	p := m.visit(address)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bare {
		name = ""
	}
	return m.add(Stored{Name: name, Link: address, Content: []byte(p.text), Status: targets.StatusDone, Foreign: true}).ID
}

// page is what a vendor finds at an address.
type page struct {
	text   string
	broken bool // nothing can be fetched
}

// visit fetches a page.
func (m *Memory) visit(address string) page {
	m.mu.Lock()
	ask := m.ask
	p, set := m.pages[address]
	m.mu.Unlock()
	switch {
	case ask != nil:
		text, ok := ask(address)
		return page{text, !ok}
	case set:
		return p
	}
	return page{text: address}
}

// fetched is what a rendition becomes at this vendor: its own bytes, or the page at its address.
func (m *Memory) fetched(ctx context.Context, r targets.Rendition) (content []byte, broken bool, err error) {
	if r.Link == "" {
		content, err = readAll(ctx, r)
		return content, false, err
	}
	if r.Open != nil || r.Size != 0 {
		m.mu.Lock()
		m.violate("%s has an address and bytes", r.Name)
		m.mu.Unlock()
	}
	if !m.Limits().Links {
		return nil, false, fault.New(fault.ErrUnsupported, "memory: addresses are not taken: %s", r.Name)
	}
	p := m.visit(r.Link)
	return []byte(p.text), p.broken, ctx.Err()
}

// same is the document that keeps a rendition from being made again. The lock must be held.
func (m *Memory) same(r targets.Rendition) *memoryDoc {
	if r.Link == "" || !m.bare {
		return m.names[r.Name]
	}
	for _, id := range slices.Sorted(maps.Keys(m.docs)) {
		if d := m.docs[id]; d.Link == r.Link && !d.Retired {
			return d
		}
	}
	return nil
}

// replaceBare deletes the document of an address and creates it again.
func (m *Memory) replaceBare(ctx context.Context, id targets.RemoteID, r targets.Rendition) targets.Result {
	err := m.call(ctx, Call{Op: OpReplace, ID: id, Name: r.Name}, func(Verdict) error {
		d, err := m.find(id)
		if err != nil {
			return err
		}
		if d.Foreign {
			m.violate("replaced %s %q, which is somebody else's", id, cmp.Or(d.Name, d.Link))
		}
		m.drop(id)
		return nil
	})
	if err != nil {
		return targets.Result{ID: id, Err: err}
	}
	res, _ := m.upload(ctx, r)
	return res
}
