package convert

import "testing"

func TestWeigh(t *testing.T) {
	for size, want := range map[int64]int64{0: minWeight, 1 << 20: minWeight, 8 << 20: 32 << 20, 30 << 20: allSources, maxSource: allSources, -1: allSources} {
		if got := weigh(size); got != want {
			t.Errorf("%d bytes: got %d, want %d", size, got, want)
		}
	}
}
