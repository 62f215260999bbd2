package web

import (
	"fmt"
	"maps"
	"time"

	"kbsyncd/internal/kb"
)

// remember saves what changed. Addresses that are listed no more are forgotten when the listing is complete.
func (l *look) remember(r *result) error {
	now := &remembered{pages: map[string]*entry{}, maps: l.maps, listing: l.next}
	if !l.complete() {
		maps.Copy(now.pages, l.old.pages)
		now.maps = maps.Clone(l.old.maps)
		maps.Copy(now.maps, l.maps)
	}
	for _, p := range l.order {
		if p.now == nil {
			delete(now.pages, p.address)
		} else {
			now.pages[p.address] = p.now
		}
	}
	c := changes(l.old, now)
	if len(c) > 0 {
		if err := l.memory.Save(c); err != nil {
			return fmt.Errorf("remember the pages of the site: %w", err)
		}
	}
	if l.wrote.Load() || len(c) > 0 {
		l.tidy(now)
	}
	return nil
}

// tidy removes content from the cache that nobody can ask for any more: neither this look nor what is remembered of the ones before names it.
func (l *look) tidy(now *remembered) {
	keep := map[kb.Digest]bool{}
	for _, entries := range []map[string]*entry{now.pages, now.maps, l.old.pages, l.old.maps} {
		for _, e := range entries {
			keep[e.print] = true
		}
	}
	for _, r := range l.results {
		for _, it := range r.items {
			keep[it.print] = true
		}
	}
	l.cache.prune(keep)
}

// summary writes one line about the look.
func (l *look) summary(r *result) {
	l.log.Info("looked at the site", "pages", len(l.order), "documents", len(r.byPath), "changed", len(r.cost.Pages), "requests", r.cost.Requests,
		"not_modified", r.cost.NotModified, "bytes", r.cost.BytesReceived, "broken_links", l.broken, "dur", r.cost.Duration.Round(time.Millisecond))
}
