package web

import (
	"cmp"
	"fmt"
	"slices"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// few is from how many pages on it is no coincidence that they all become the same.
const few = 3

// crowd is what many pages became at once, and for how many looks in a row.
type crowd struct {
	what uint64 // 0: nothing
	runs int
}

// doubt holds back for some looks what a site that is out of order shows: one text at every address, and redirects of everything to one
// page. It compares with what is remembered, and decides only about when something is believed, never about keys.
func (l *look) doubt() {
	l.doubtCrowds()
	l.doubtMoves()
}

// mark is what of a page is suspicious when many others suddenly have it too.
type mark struct {
	kind  markKind
	print kb.Digest
	text  string
}

type markKind uint8

const (
	sameContent markKind = iota
	sameFinal
	sameRefresh
	noWebPage
	notIndexed
)

func (m mark) String() string {
	switch m.kind {
	case sameContent:
		return "have one and the same content"
	case sameFinal:
		return "lead to " + kb.Printable(shown(m.text))
	case sameRefresh:
		return "send their readers on to " + kb.Printable(shown(m.text))
	case noWebPage:
		return "are no web pages any more"
	default:
		return "ask not to be indexed"
	}
}

// marks are those of what was taken from a page.
func (e *entry) marks() []mark {
	m := []mark{{kind: sameContent, print: e.print}}
	if e.final != "" {
		m = append(m, mark{kind: sameFinal, text: e.final})
	}
	if e.refresh != "" {
		m = append(m, mark{kind: sameRefresh, text: e.refresh})
	}
	if e.way == "" {
		m = append(m, mark{kind: noWebPage})
	}
	if e.noIndex {
		m = append(m, mark{kind: notIndexed})
	}
	return m
}

// turned tells whether a page that was held got a mark that it did not have.
func (p *page) turned(m mark) bool {
	return p.said.held() && p.old.held() && !slices.Contains(p.old.marks(), m) && (m.kind != noWebPage || p.old.settings == p.said.settings)
}

// crowds are the marks that pages got in such numbers that the site must be at fault, the most frequent one first, with how many pages
// and of how many.
func (l *look) crowds() (marks []mark, n, of int) {
	turned, fresh := l.newMarks()
	var (
		had   map[mark]int
		held  int
		count = map[mark]int{}
	)
	if len(turned) > 0 {
		had, held = l.oldMarks()
	}
	for m, n := range turned {
		if n >= few && 2*n >= held-had[m] {
			marks, count[m] = append(marks, m), n
		}
	}
	for m, n := range fresh {
		if len(l.order) > plenty && 2*n > len(l.order) && count[m] == 0 {
			marks, count[m] = append(marks, m), n
		}
	}
	if len(marks) == 0 {
		return nil, 0, 0
	}
	slices.SortFunc(marks, func(a, b mark) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a.kind, b.kind), slices.Compare(a.print[:], b.print[:]), cmp.Compare(a.text, b.text))
	})
	return marks, count[marks[0]], len(l.order)
}

// newMarks counts the marks that pages have now: those that turned to them, and those that were never seen before.
func (l *look) newMarks() (turned, fresh map[mark]int) {
	turned, fresh = map[mark]int{}, map[mark]int{}
	for _, p := range l.order {
		if p.hidden || !p.said.held() {
			continue
		}
		for _, m := range p.said.marks() {
			switch {
			case p.turned(m):
				turned[m]++
			case !p.old.held() && m.kind < noWebPage:
				fresh[m]++
			}
		}
	}
	return turned, fresh
}

// oldMarks counts the marks that pages had, and the pages.
func (l *look) oldMarks() (had map[mark]int, held int) {
	had = map[mark]int{}
	for _, p := range l.order {
		if p.hidden || !p.old.held() {
			continue
		}
		held++
		for _, m := range p.old.marks() {
			had[m]++
		}
	}
	return had, held
}

// doubtCrowds keeps what was, while most pages have become the same thing. That is believed when it stays.
func (l *look) doubtCrowds() {
	marks, n, of := l.crowds()
	if len(marks) == 0 {
		l.next.crowd = crowd{}
		return
	}
	now := crowd{what: digest(fmt.Sprint(marks[0].kind), marks[0].print.String(), marks[0].text), runs: 1}
	if l.next.crowd.what == now.what {
		now.runs += l.next.crowd.runs
	}
	most := l.cfg.MissingAfter
	if now.runs >= most {
		l.next.crowd = crowd{}
		return
	}
	l.next.crowd = now
	for _, p := range l.order {
		if !p.said.held() || p.hidden || p.outcome == isTrouble {
			continue
		}
		if slices.ContainsFunc(p.said.marks(), func(m mark) bool {
			return slices.Contains(marks, m) && (p.turned(m) || !p.old.held() && m.kind < noWebPage)
		}) {
			p.trouble(fault.New(errPage, "has become the same as most other pages").WithHint("see what the site shows at this address"), most)
			l.hold(p)
		}
	}
	l.lacks(fault.New(fault.ErrIncomplete, "%d of %d pages now %s (%d of %d in a row); nothing is deleted", n, of, marks[0], now.runs, most).
		WithHint("the site may be out of order; if it is meant so, it is believed after %d such looks that are remembered, or leave these pages out with exclude", most))
}

// doubtMoves keeps pages that were documents and lead to another listed page for now, as if they were missing.
func (l *look) doubtMoves() {
	for _, p := range l.order {
		if !p.movedForNow() || p.hidden || l.pages[p.said.final] == nil || l.pages[p.old.final] != nil {
			continue
		}
		e := *p.old
		if e.gone++; e.gone >= l.cfg.MissingAfter {
			continue
		}
		p.now = &e
		l.hold(p)
		if p.outcome != isTrouble {
			p.outcome = isTrouble
			p.err = fault.New(errPage, "leads to %s for now (%d of %d in a row); it is removed after that", kb.Printable(shown(p.said.final)), e.gone, l.cfg.MissingAfter).
				WithHint("a page that has moved for good answers 301 or 308")
		}
	}
}

// movedForNow tells whether a page that was held is now sent elsewhere, and not for good.
func (p *page) movedForNow() bool {
	return p.said != nil && p.old.held() && p.said.final != "" && p.said.final != p.old.final && p.said.moved != p.said.final
}

// hold keeps what was of a page, until the next look.
func (l *look) hold(p *page) {
	l.noteFound(p)
	l.askAgain(p)
}

// askAgain has a page asked at its own address at the next look, however long the site says that its answer or its redirect lasts.
func (l *look) askAgain(p *page) {
	l.Site.mu.Lock()
	defer l.Site.mu.Unlock()
	delete(l.freshUntil, p.address)
	delete(l.moves, p.address)
}
