package config

import (
	"slices"
	"strconv"
	"strings"
)

// suggest gives the known name that is nearest to name, or "" when none is near. Of two equally near ones
// the first in alphabetical order wins, so that messages are stable.
func suggest(name string, known []string) string {
	if len(name) > 64 {
		return ""
	}
	best, bound := "", max(1, len(name)/3)+1
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < bound {
			best, bound = k, d
		}
	}
	return best
}

// didYouMean is the hint for a name that is not known.
func didYouMean(name string, known []string, what string) string {
	if s := suggest(name, known); s != "" {
		return "did you mean " + strconv.Quote(s) + "?"
	}
	switch {
	case len(known) == 0:
		return ""
	case len(known) > 12:
		return "see docs/configuration.md"
	}
	return what + strings.Join(slices.Sorted(slices.Values(known)), ", ")
}

// distance is the Levenshtein distance with swaps of neighbours counted as one step.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before []int
	last := make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row := make([]int, len(y)+1)
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(y)]
}
