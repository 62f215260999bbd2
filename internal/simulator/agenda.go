package simulator

import (
	"slices"
	"time"
)

// event is something that will happen at a set time, unless it is cancelled.
type event struct {
	at        time.Time
	do        func()
	cancelled bool
}

// cancel keeps an event from happening; a nil event is none.
func (e *event) cancel() {
	if e != nil {
		e.cancelled = true
	}
}

// agenda holds what will happen later. It works out, whenever it is asked, what has happened by then: there is no
// goroutine and no timer behind it. Its owner's lock guards it.
type agenda struct {
	events []*event // by time; those of one moment in the order in which they were added
}

// add plans an event.
func (a *agenda) add(at time.Time, do func()) *event {
	e := &event{at: at, do: do}
	i, _ := slices.BinarySearchFunc(a.events, at, func(e *event, at time.Time) int {
		if e.at.After(at) {
			return 1
		}
		return -1
	})
	a.events = slices.Insert(a.events, i, e)
	return e
}

// advance lets everything happen whose time has come.
func (a *agenda) advance(now time.Time) {
	for len(a.events) > 0 && !a.events[0].at.After(now) {
		e := a.events[0]
		a.events = a.events[1:]
		if !e.cancelled {
			e.do()
		}
	}
}
