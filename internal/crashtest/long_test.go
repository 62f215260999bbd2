//go:build crash

package crashtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// killsPerWorld is how many deaths one folder and one vendor see. The makers take turns.
const killsPerWorld = 14

// long says whether the tests run that `make crash` is for.
const long = true

// TestCrash kills the program hundreds of times, in worlds whose vendors misbehave in different ways.
func TestCrash(t *testing.T) { crash(t, "KBSYNC_CRASH_KILLS", 160, makers) }

// TestCrashGit does so in worlds whose documents are in a repository, and whose servers, branches and caches fail as well.
func TestCrashGit(t *testing.T) { crash(t, "KBSYNC_CRASH_GIT_KILLS", 56, gitMakers) }

// TestCrashSite does so in worlds whose documents are pages of a website.
func TestCrashSite(t *testing.T) { crash(t, "KBSYNC_CRASH_SITE_KILLS", 56, siteMakers) }

func crash(t *testing.T, setting string, usual uint64, makers []maker) {
	t.Parallel()
	seed := number(t, "KBSYNC_CRASH_SEED", uint64(time.Now().UnixNano()))
	kills := int(number(t, setting, usual))
	t.Logf("KBSYNC_CRASH_SEED=%d", seed)
	var mu sync.Mutex
	stages, total := map[string]int{}, 0
	t.Cleanup(func() {
		var b strings.Builder
		for _, where := range slices.Sorted(maps.Keys(stages)) {
			fmt.Fprintf(&b, "%5d  %s\n", stages[where], where)
		}
		t.Logf("%d kills; where the signals came:\n%s", total, b.String())
	})
	for i := 0; i*killsPerWorld < kills; i++ {
		// A failure prints the seed of its world, and as the seed of the first world of its maker that gives the same world.
		m := makers[i%len(makers)]
		t.Run(fmt.Sprintf("world%02d-%s", i+1, m.name), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed+uint64(i), m)
			w.endure(min(killsPerWorld, kills-i*killsPerWorld), 10)
			mu.Lock()
			defer mu.Unlock()
			total += w.kills
			for where, n := range w.stages {
				stages[where] += n
			}
		})
	}
}
