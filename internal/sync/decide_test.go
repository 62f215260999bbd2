package sync

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
	"kbsyncd/internal/targets"
)

func hashOf(s string) kb.PartHash { return kb.Sum([]byte(s)).Short() }

func have(id, content string, n int, status targets.Status) remotePart {
	return remotePart{id: targets.RemoteID(id), part: n, hash: hashOf(content), known: true, status: status, size: -1, ext: ".md"}
}

func want(contents ...string) []part {
	out := make([]part, len(contents))
	for i, c := range contents {
		out[i] = part{Part: convert.Part{Index: i + 1, Ext: ".md"}, hash: hashOf(c)}
	}
	if len(out) == 1 {
		out[0].Index = 0
	}
	return out
}

// A document takes content in place only when that changes it at once and as a whole; nobody else's ever does.
func TestReplaceInPlace(t *testing.T) {
	done := targets.StatusDone
	alien := have("0", "a", 0, targets.StatusFailed)
	alien.alien = true
	pdf := have("1", "a", 0, done)
	pdf.ext = ".pdf"
	for name, c := range map[string]struct {
		want   []part
		have   []remotePart
		old    string // of each part
		retire string
	}{
		"new":                    {want("a"), nil, "[]", "[]"},
		"edited":                 {want("b"), []remotePart{have("1", "a", 0, done)}, "[1]", "[]"},
		"one part edited":        {want("a", "c"), []remotePart{have("1", "a", 1, done), have("2", "b", 2, done)}, "[ 2]", "[]"},
		"two parts edited":       {want("c", "d"), []remotePart{have("1", "a", 1, done), have("2", "b", 2, done)}, "[ ]", "[1 2]"},
		"whole becomes two":      {want("a", "b"), []remotePart{have("1", "ab", 0, done)}, "[ ]", "[1]"},
		"two become whole":       {want("ab"), []remotePart{have("1", "a", 1, done), have("2", "b", 2, done)}, "[]", "[1 2]"},
		"a part less":            {want("a", "c"), []remotePart{have("1", "a", 1, done), have("2", "b", 2, done), have("3", "c", 3, done)}, "[ ]", "[2]"},
		"two old versions":       {want("c"), []remotePart{have("1", "a", 0, done), have("2", "b", 0, done)}, "[]", "[1 2]"},
		"an old id goes":         {want("b"), []remotePart{have("1", "a", 0, done), {id: "9", size: -1}}, "[1]", "[9]"},
		"another kind":           {want("b"), []remotePart{pdf}, "[]", "[1]"},
		"failed":                 {want("a"), []remotePart{have("1", "a", 0, targets.StatusFailed)}, "[1]", "[]"},
		"somebody else's":        {want("a"), []remotePart{alien}, "[]", "[]"},
		"somebody else's, old":   {want("b"), []remotePart{alien}, "[]", "[]"},
		"being trained":          {want("b"), []remotePart{have("1", "a", 0, targets.StatusWorking)}, "[1]", "[]"},
		"unchanged":              {want("a"), []remotePart{have("1", "a", 0, done)}, "[]", "[]"},
		"in place beside a copy": {want("a"), []remotePart{have("1", "a", 0, done), have("2", "a", 0, done)}, "[]", "[2]"},
	} {
		v := decide(c.want, c.have)
		v.replace(c.have)
		var old []targets.RemoteID
		for _, p := range v.parts {
			old = append(old, p.old)
		}
		if fmt.Sprint(old) != c.old || fmt.Sprint(v.retire) != c.retire {
			t.Errorf("%s: in place of %v, retire %v", name, old, v.retire)
		}
	}
}

func TestDecide(t *testing.T) {
	copied := have("2", "a", 0, targets.StatusDone)
	copied.copied = true
	alien := have("0", "a", 0, targets.StatusDone)
	alien.alien = true
	for name, c := range map[string]struct {
		want             []part
		have             []remotePart
		missing, unready int
		retire           string
	}{
		"new":               {want("a"), nil, 1, 0, "[]"},
		"in place":          {want("a"), []remotePart{have("1", "a", 0, targets.StatusDone)}, 0, 0, "[]"},
		"edited":            {want("b"), []remotePart{have("1", "a", 0, targets.StatusDone)}, 1, 0, "[1]"},
		"being parsed":      {want("a"), []remotePart{have("1", "a", 0, targets.StatusWorking)}, 0, 1, "[]"},
		"copy goes":         {want("a"), []remotePart{copied, have("1", "a", 0, targets.StatusDone)}, 0, 0, "[2]"},
		"searchable stays":  {want("a"), []remotePart{have("1", "a", 0, targets.StatusWorking), have("2", "a", 0, targets.StatusDone)}, 0, 0, "[1]"},
		"failed is retried": {want("a"), []remotePart{have("1", "a", 0, targets.StatusFailed)}, 0, 1, "[]"},
		"one part edited":   {want("a", "c"), []remotePart{have("1", "a", 1, targets.StatusDone), have("2", "b", 2, targets.StatusDone)}, 1, 0, "[2]"},
		"whole becomes two": {want("a", "b"), []remotePart{have("1", "ab", 0, targets.StatusDone)}, 2, 0, "[1]"},
		"unfinished upload": {want("a", "b"), []remotePart{have("1", "a", 1, targets.StatusWaiting)}, 1, 1, "[]"},
		"another's copy":    {want("a"), []remotePart{alien, have("1", "a", 0, targets.StatusDone)}, 0, 0, "[]"},
		"only an old id":    {want("a"), []remotePart{{id: "9", size: -1}}, 1, 0, "[9]"},
	} {
		v := decide(c.want, c.have)
		if v.missing != c.missing || v.unready != c.unready || fmt.Sprint(v.retire) != c.retire {
			t.Errorf("%s: missing %d, unready %d, retire %v", name, v.missing, v.unready, v.retire)
		}
	}
}

// Whatever is at the vendor, no remote document is both kept and retired, and none is forgotten.
func TestDecideKeepsOrRetiresEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SampledFrom([]string{"a", "b", "c"})
		w := want(rapid.SliceOfN(letters, 1, 4).Draw(t, "want")...)
		var hs []remotePart
		for i, c := range rapid.SliceOfN(letters, 0, 6).Draw(t, "have") {
			hs = append(hs, have(fmt.Sprint(i), c, rapid.IntRange(0, 4).Draw(t, "part"), targets.Status(rapid.IntRange(0, 5).Draw(t, "status"))))
		}
		v := decide(w, hs)
		seen := map[targets.RemoteID]int{}
		missing := 0
		for _, p := range v.parts {
			if p.id == "" {
				missing++
				continue
			}
			seen[p.id]++
		}
		for _, id := range v.retire {
			seen[id]++
		}
		if missing != v.missing || len(seen) != len(hs) {
			t.Fatalf("missing %d, verdict %+v, have %+v", missing, v, hs)
		}
		for id, n := range seen {
			if n != 1 {
				t.Fatalf("%s counted %d times", id, n)
			}
		}
	})
}

func TestRenderedRecordsRememberTheirParts(t *testing.T) {
	for _, contents := range [][]string{{"a"}, {"a", "b", "c"}} {
		j := &job{parts: want(contents...), rec: state.Record{Whole: len(contents) == 1}}
		for i := range j.parts {
			j.parts[i].id = targets.RemoteID(fmt.Sprint("id", i))
		}
		v := decide(recorded(j.final(true)), remembered(j.final(true)))
		if v.missing+v.unready+len(v.retire) != 0 {
			t.Errorf("%v: %+v", contents, v)
		}
	}
}

func docs(n int) []gone {
	out := make([]gone, n)
	for i := range out {
		out[i] = gone{key: kb.NewKey("a", fmt.Sprintf("%03d.md", i)), count: 1}
	}
	return out
}

func TestGuard(t *testing.T) {
	fine := func(gone) string { return "" }
	for name, c := range map[string]struct {
		in         guardInput
		free, held int
	}{
		"few are always allowed":     {guardInput{gone: docs(10), base: 12, limit: DefaultLimit()}, 10, 0},
		"a quarter":                  {guardInput{gone: docs(25), base: 100, limit: DefaultLimit()}, 25, 0},
		"more than a quarter":        {guardInput{gone: docs(26), base: 100, limit: DefaultLimit()}, 0, 26},
		"bit by bit":                 {guardInput{gone: docs(6), base: 80, recent: 20, limit: DefaultLimit()}, 0, 6},
		"allowed":                    {guardInput{gone: docs(99), base: 100, limit: DefaultLimit(), allowed: true}, 99, 0},
		"a count":                    {guardInput{gone: docs(4), base: 100, limit: Limit{Count: 3}}, 0, 4},
		"a percentage has no floor":  {guardInput{gone: docs(2), base: 10, limit: Limit{Percent: 10, Count: -1}}, 0, 2},
		"no deletion is allowed":     {guardInput{gone: docs(1), base: 10, limit: Limit{Count: 0}}, 0, 1},
		"approved ones do not count": {guardInput{gone: docs(30), base: 100, limit: DefaultLimit(), approved: keysOf(docs(20))}, 30, 0},
		"an emptied source":          {guardInput{gone: docs(2), base: 100, limit: DefaultLimit(), emptied: func(gone) string { return "empty" }}, 0, 2},
	} {
		if c.in.emptied == nil {
			c.in.emptied = fine
		}
		free, held, reasons := guard(c.in)
		if len(free) != c.free || len(held) != c.held || len(reasons) != len(held) {
			t.Errorf("%s: %d free, %d held, %d reasons", name, len(free), len(held), len(reasons))
		}
	}
}

func keysOf(gs []gone) map[kb.Key]bool {
	out := map[kb.Key]bool{}
	for _, g := range gs {
		out[g.name()] = true
	}
	return out
}

func TestRecentDeletionsSurviveAClockThatWentBack(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	kept, n := recentDeletions([]state.Deletion{
		{At: now.Add(-25 * time.Hour), N: 1}, {At: now.Add(-time.Hour), N: 2}, {At: now.Add(time.Hour), N: 4},
	}, now)
	if n != 6 || len(kept) != 2 {
		t.Errorf("%d deletions, %v", n, kept)
	}
}

func TestIndexFindsWhatWasListed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := &index{}
		byKey := map[kb.Key]map[targets.RemoteID]bool{}
		for i := range rapid.IntRange(0, 200).Draw(t, "n") {
			k := kb.NewKey("a", fmt.Sprint(rapid.IntRange(0, 20).Draw(t, "key"), ".md"))
			id := targets.RemoteID(fmt.Sprintf("id-%d", rapid.IntRange(0, i).Draw(t, "id")))
			m := kb.Mark{Scope: "abcde", Key: k.Hash()}
			x.add(targets.Remote{ID: id, Name: kb.RemoteName(k, m, ".md", 255)}, m, false)
			if byKey[k] == nil {
				byKey[k] = map[targets.RemoteID]bool{}
			}
			byKey[k][id] = true
		}
		x.seal()
		if x.keys != len(byKey) {
			t.Fatalf("%d keys, want %d", x.keys, len(byKey))
		}
		left := map[kb.KeyHash]int{}
		for k, ids := range byKey {
			if k.Hash()%2 == 1 {
				left[k.Hash()] = len(ids)
				continue
			}
			got := x.take(k)
			if len(got) != len(ids) {
				t.Fatalf("%s: %v, want %v", k, got, ids)
			}
			for _, r := range got {
				if r.alien {
					t.Fatalf("%s is taken for somebody else's", r.name)
				}
			}
		}
		x.rest(func(h kb.KeyHash, parts []remotePart) {
			if len(parts) != left[h] {
				t.Fatalf("rest gave key %x with %v", h, parts)
			}
			delete(left, h)
		})
		if len(left) > 0 {
			t.Fatalf("rest forgot %v", left)
		}
	})
}
