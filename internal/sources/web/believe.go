package web

import (
	"kbsyncd/internal/fault"
)

// plenty is how many addresses a listing must have had for a sudden lack to look like a fault.
const plenty = 10

// believe decides whether a listing with so many addresses may be what the site really has. One that is empty, or has fewer than half of
// what it had, must come so several times in a row: a generator that broke and a site that was reset look just like that.
func (t tally) believe(what string, n, runs int) (tally, error) {
	if n > 0 && (t.had <= plenty || 2*n >= t.had) {
		return tally{had: n}, nil
	}
	next := tally{had: t.had, low: n, runs: 1}
	if t.runs > 0 && t.low == n {
		next.runs = min(t.runs+1, runs)
	}
	if next.runs >= runs {
		if n > 0 {
			return tally{had: n}, nil
		}
		return next, nil
	}
	if n == 0 {
		return next, fault.New(fault.ErrIncomplete, "the %s lists no page (%d of %d in a row); nothing is deleted", what, next.runs, runs).
			WithHint("if the site is empty, it is believed after %d such looks", runs)
	}
	return next, fault.New(fault.ErrIncomplete, "the %s lists %d pages and had %d (%d of %d in a row); nothing is deleted", what, n, t.had, next.runs, runs).
		WithHint("if the site shrank, it is believed after %d such looks", runs)
}
