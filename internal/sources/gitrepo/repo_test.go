package gitrepo

import (
	"testing"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources/sourcetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T) sourcetest.Fixture {
		o := newOrigin(t)
		o.change("")
		r := o.open(nil)
		return sourcetest.Fixture{
			Name: "docs", Source: flushing{r, o}, Put: o.put, Remove: o.remove, Rename: o.rename, Snapshots: true,
			Opens: func() int { return int(r.opens.Load()) },
			Break: func() func() {
				o.flush()
				o.stop()
				return o.away()
			},
			AddProblem: func() kb.Key {
				o.link("out.md", "/etc/passwd")
				return "docs/out.md"
			},
		}
	})
}
