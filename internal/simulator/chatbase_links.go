package simulator

import (
	"context"
	"slices"
)

// cbFetched is what stood at the address of a link.
type cbFetched struct {
	text string
	lost bool // nothing could be fetched
}

// visit fetches what stands at an address. No lock may be held.
func (s *Chatbase) visit(ctx context.Context, address string) cbFetched {
	text, err := s.at(ctx, address)
	return cbFetched{text: text, lost: err != nil}
}

// visitLinks fetches the pages of those links of an agent that a training would take in. No lock may be held.
func (s *Chatbase) visitLinks(ctx context.Context, agent string, wanted func(*cbSource) bool) map[*cbSource]cbFetched {
	links := map[*cbSource]string{}
	s.lock()
	if a := s.byID[agent]; a != nil {
		for _, src := range a.sources {
			if src.link != nil && wanted(src) {
				links[src] = src.now.name
			}
		}
	}
	s.mu.Unlock()
	out := map[*cbSource]cbFetched{}
	for src, address := range links {
		out[src] = s.visit(ctx, address)
	}
	return out
}

// take gives links the pages that were fetched for them. The lock must be held.
func (s *Chatbase) take(fetched map[*cbSource]cbFetched) {
	for src, f := range fetched {
		src.now.content, src.now.lost = []byte(f.text), f.lost
		src.size, src.original = int64(len(f.text)), int64(len(f.text))
	}
}

// hasLink tells whether an agent has a link of that address and type, which keeps it from getting another.
func (s *Chatbase) hasLink(a *cbAgent, address, linkType string) bool {
	return slices.ContainsFunc(a.sources, func(src *cbSource) bool {
		return src.link != nil && src.now.name == address && src.link.LinkType == linkType &&
			(src.status != cbToBeDeleted || s.opts.PendingBlocks)
	})
}

// PutLink stores a foreign link source of a single page, as a human would add it in the dashboard, trained with what
// stands at the address now, and returns its id. Like Put it makes the agent when there is none.
func (s *Chatbase) PutLink(agent, address string) (id string) {
	f := s.visit(context.Background(), address)
	s.lock()
	defer s.mu.Unlock()
	src := s.put(agent, "link", cbVersion{name: address, content: []byte(f.text)})
	src.link = &cbLink{LinkType: "individual"}
	return src.id
}
