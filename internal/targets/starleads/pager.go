package starleads

import (
	"context"
	"sync"
)

// pager gives the pages of a list in their order. Once a page tells how many there are, the next ones are asked for
// ahead, several at a time; else one is asked for when it is wanted. It belongs to one
// goroutine, which ends the context and waits for running when it wants no more.
type pager[T listed] struct {
	fetch func(ctx context.Context, number int) (page[T], error)
	most  int // pages that are under way or wait to be given

	asked, given int               // numbers of pages
	coming       []chan fetched[T] // the pages asked for and not given, in order
	running      sync.WaitGroup
}

type fetched[T listed] struct {
	page page[T]
	err  error
}

// next is the page after the one given last.
func (p *pager[T]) next(ctx context.Context) (page[T], error) {
	if p.asked == p.given {
		p.ask(ctx)
	}
	f := <-p.coming[0]
	p.coming = p.coming[1:]
	p.given++
	if f.err != nil {
		return f.page, f.err
	}
	for there := f.page.count(); p.asked < there && p.asked-p.given < p.most; {
		p.ask(ctx)
	}
	return f.page, nil
}

// ask lets the next page come.
func (p *pager[T]) ask(ctx context.Context) {
	p.asked++
	number, ch := p.asked, make(chan fetched[T], 1) // room for the page, should nobody want it any more
	p.coming = append(p.coming, ch)
	p.running.Go(func() {
		got, err := p.fetch(ctx, number)
		ch <- fetched[T]{got, err}
	})
}
