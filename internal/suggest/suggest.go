// Package suggest finds the name that somebody meant who wrote one that is not known. It must not guess: far from every
// known name it suggests nothing. It knows no file and no flag, so that every part of the program can use it.
package suggest

import (
	"slices"
	"strconv"
	"strings"
)

// Nearest gives the known name that is nearest to name, or "" when none is near. Of two equally near ones
// the first in alphabetical order wins, so that messages are stable.
func Nearest(name string, known []string) string {
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

// Hint asks whether the nearest known name was meant; when none is near it is what otherwise says.
func Hint(name string, known []string, otherwise string) string {
	if s := Nearest(name, known); s != "" {
		return "did you mean " + strconv.Quote(s) + "?"
	}
	return otherwise
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
