package sync

import (
	"fmt"
	"time"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
)

// day is the time over which deletions are counted together, so that a folder that is lost bit by bit is noticed as well.
const day = 24 * time.Hour

// guardInput is everything that the guard looks at.
type guardInput struct {
	gone     []gone
	base     int // documents at the target, the gone ones included
	recent   int // deleted in the last day
	limit    Limit
	allowed  bool
	approved map[kb.Key]bool
	// emptied names the source, gone or empty, that a document belonged to; "" when its source is fine.
	emptied func(gone) string
}

// guard splits deletions into those that may go ahead and those that wait for consent. It is a pure function. Either all deletions
// within the limit go ahead or none.
func guard(in guardInput) (free []gone, held []gone, reasons []string) {
	if in.allowed {
		return in.gone, nil, nil
	}
	var counted []gone
	for _, g := range in.gone {
		switch source := in.emptied(g); {
		case in.approved[g.name()]:
			free = append(free, g)
		case source != "":
			held = append(held, g)
			reasons = append(reasons, source)
		default:
			counted = append(counted, g)
		}
	}
	most := in.limit.of(in.base + in.recent)
	if n := len(counted) + in.recent; len(counted) > 0 && n > most {
		why := fmt.Sprintf("%d of %d documents would be deleted", len(counted), in.base)
		if in.recent > 0 {
			more := "one more deletion"
			if len(counted) > 1 {
				more = fmt.Sprintf("%d more deletions", len(counted))
			}
			why = fmt.Sprintf("%s, after %d in the last 24 hours", more, in.recent)
		}
		why += fmt.Sprintf("; max_delete allows %d", most)
		for _, g := range counted {
			held = append(held, g)
			reasons = append(reasons, why)
		}
		return free, held, reasons
	}
	return append(free, counted...), held, reasons
}

// of is how many of n documents may be deleted.
func (l Limit) of(n int) int {
	if l.Count >= 0 {
		return l.Count
	}
	return max(l.Floor, int(l.Percent*float64(n)/100))
}

// recentDeletions counts the deletions of the last day and drops older ones. Times in the future, left by a clock that
// went back, count as well.
func recentDeletions(all []state.Deletion, now time.Time) (kept []state.Deletion, n int) {
	for _, d := range all {
		if age := now.Sub(d.At); age < day && age > -day {
			kept = append(kept, d)
			n += d.N
		}
	}
	return kept, n
}
