package targettest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

var basics = []testCase{
	{"connect twice", func(e *env) {
		e.connect()
		first, err := e.Target.Connect(e.Context(), true)
		if err != nil || first.Created {
			e.Fatalf("second connect: %+v, %v", first, err)
		}
		second, err := e.Target.Connect(e.Context(), false)
		if err != nil || second.ID != first.ID {
			e.Fatalf("third connect: %+v after %+v, %v", second, first, err)
		}
	}},
	{"put and list", func(e *env) {
		e.connect()
		all := docs(3, "a")
		ids := e.mustUpload(all...)
		e.exactly(all...)
		listed := e.mustList()
		for i, id := range ids {
			r, ok := listed[id]
			if !ok || r.Name != all[i].Name {
				e.Errorf("%s is listed as %+v", id, r)
			}
			if r.Size >= 0 && r.Size != all[i].Size {
				e.Errorf("%s has %d bytes, listed with %d", r.Name, all[i].Size, r.Size)
			}
		}
	}},
	{"nothing to do makes no request", func(e *env) {
		e.connect()
		before := e.Backend.Requests()
		if res, err := e.Target.Upload(e.Context(), nil); err != nil || len(res) != 0 {
			e.Errorf("empty upload: %v, %v", res, err)
		}
		if res, err := e.Target.Delete(e.Context(), nil); err != nil || len(res) != 0 {
			e.Errorf("empty delete: %v, %v", res, err)
		}
		_ = e.Target.Limits()
		if n := e.Backend.Requests() - before; n != 0 {
			e.Errorf("%d requests", n)
		}
	}},
	{"the same twice is one copy", func(e *env) {
		e.connect()
		all := docs(2, "a")
		e.mustUpload(all...)
		e.mustUpload(all...)
		e.exactly(all...)
	}},
	{"replace", func(e *env) {
		e.connect()
		old, other, now := doc("page.md", "old"), doc("other.md", "stays"), doc("page.md", "new")
		ids := e.mustUpload(old, other)
		e.mustUpload(now)
		e.exactly(old, other, now)
		e.mustDelete(ids[0])
		e.exactly(other, now)
		if e.copies(old) != 0 {
			e.Error("the old version is still there")
		}
	}},
	{"delete what is absent", func(e *env) {
		e.connect()
		all := docs(3, "a")
		ids := e.mustUpload(all...)
		e.mustDelete(ids[0])
		e.mustDelete(ids[0], ids[1], ids[0])
		e.exactly(all[2])
		if n := len(e.stored()); n != 1 {
			e.Errorf("%d documents instead of 1", n)
		}
	}},
	{"an empty id deletes nothing", func(e *env) {
		e.connect()
		all := docs(2, "a")
		ids := e.mustUpload(all...)
		before := len(e.Backend.Violations())
		res, err := e.Target.Delete(e.Context(), []targets.RemoteID{"", ids[0]})
		if e.note(err) != nil || len(res) != 2 || res[0].Err == nil || res[1].Err != nil {
			e.Fatalf("%+v, %v", res, err)
		}
		e.exactly(all[1])
		if len(e.Backend.Violations()) > before {
			e.Error("the empty id was sent")
		}
	}},
	{"foreign documents are not touched", func(e *env) {
		e.connect()
		e.Backend.Put("theirs.md", []byte("by hand"))
		e.Backend.Put("theirs too (1).md", []byte("by hand too"))
		all := docs(12, "a")
		ids := e.mustUpload(all...)
		e.mustUpload(all...)
		e.mustDelete(ids...)
		if n := len(e.mustList()); n != 2 {
			e.Errorf("%d documents are listed, not the 2 of others", n)
		}
		for _, d := range e.stored() {
			if !strings.HasPrefix(string(d.Content), "by hand") {
				e.Errorf("%s has become %q", d.Name, d.Content)
			}
		}
	}},
	{"odd names", func(e *env) {
		e.connect()
		var all []targets.Rendition
		for i, key := range []string{
			"über straße.md", "日本語の文書.md", "a\"b'c;d\\e.md", "100%.md", "x(1).md", ".hidden.md", "a+b&c=d #1?.md", "وثيقة.md", "no-extension",
			strings.Repeat("long-", 80) + ".md", "tab\tand\nline.md", "e\u0301tude.md", "..md", "name;filename=evil.md",
		} {
			all = append(all, docWithin(e.Target.Limits().NameBytes, key, fmt.Sprintf("content %d", i)))
		}
		e.mustUpload(all...)
		e.exactly(all...)
		e.mustUpload(all...)
		e.exactly(all...)
	}},
	{"a batch above the limits is cut", func(e *env) {
		e.connect()
		all := docs(3*e.Target.Limits().BatchFiles+1, "a")
		res, err := e.Target.Upload(e.Context(), all)
		if e.note(err) != nil || len(res) != len(all) {
			e.Fatalf("%d results, %v", len(res), err)
		}
		e.exactly(all...)
	}},
	{"too large", func(e *env) {
		e.connect()
		big, small := doc("big.md", "x"), docs(2, "a")
		big.Size = e.Target.Limits().MaxBytes + 1
		big.Open = func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(zeros{}, big.Size)), nil
		}
		res := e.upload(e.Context(), []targets.Rendition{small[0], big, small[1]})
		if !errors.Is(res[1].Err, fault.ErrTooLarge) || res[0].Err != nil || res[2].Err != nil {
			e.Errorf("%+v", res)
		}
		e.exactly(small...)
	}},
	{"a reader that fails fails alone", func(e *env) {
		e.connect()
		all := docs(5, "a")
		all[1].Open = func(context.Context) (io.ReadCloser, error) {
			return nil, fault.New(fault.ErrNotFound, "the file is gone")
		}
		all[2].Open = func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("# a"), failing{fault.New(fault.ErrChanged, "the file changed")})), nil
		}
		all[3].Size++ // shorter than it says
		res := e.upload(e.Context(), all)
		if res[0].Err != nil || res[4].Err != nil {
			e.Errorf("the others: %v, %v", res[0].Err, res[4].Err)
		}
		for i, want := range map[int]error{1: fault.ErrNotFound, 2: fault.ErrChanged, 3: fault.ErrChanged} {
			if !errors.Is(res[i].Err, want) {
				e.Errorf("result %d: %v instead of %v", i, res[i].Err, want)
			}
		}
		e.exactly(all[0], all[4])
		if n := len(e.stored()); n != 2 {
			e.Errorf("%d documents instead of 2", n)
		}
	}},
	{"a thousand documents", func(e *env) {
		n := 1000
		if e.Small {
			n = 120
		}
		e.connect()
		all := docs(n, "many")
		ids := e.mustUpload(all...)
		listed := e.mustList()
		if len(listed) != len(all) {
			e.Errorf("%d are listed", len(listed))
		}
		for i, id := range ids {
			if listed[id].Name != all[i].Name {
				e.Fatalf("%s is %q, not %q", id, listed[id].Name, all[i].Name)
			}
		}
		gone := n * 2 / 5
		e.mustDelete(ids[:gone]...)
		e.exactly(all[gone:]...)
		if got := len(e.mustList()); got != n-gone {
			e.Errorf("%d are listed after the deletion", got)
		}
	}},
	{"concurrent use", func(e *env) {
		e.connect()
		e.Backend.Put("theirs.md", []byte("by hand"))
		var wg sync.WaitGroup
		stay := make([][]targets.Rendition, 6)
		for g := range stay {
			stay[g] = docs(20, fmt.Sprintf("stay%d", g))
			wg.Go(func() {
				goes, err := e.Target.Upload(e.Context(), docs(5, fmt.Sprintf("go%d", g)))
				if err != nil {
					e.Errorf("upload: %v", err)
					return
				}
				if _, err := e.Target.Upload(e.Context(), stay[g]); err != nil {
					e.Errorf("upload: %v", err)
				}
				var ids []targets.RemoteID
				for _, r := range goes {
					ids = append(ids, r.ID)
				}
				gone, err := e.Target.Delete(e.Context(), ids)
				for _, r := range gone {
					err = errors.Join(err, r.Err)
				}
				if err != nil {
					e.Errorf("delete: %v", err)
				}
				if err := e.Target.List(e.Context(), func(targets.Remote) error { return nil }); err != nil {
					e.Errorf("list: %v", err)
				}
			})
		}
		wg.Wait()
		for _, all := range stay {
			e.exactly(all...)
		}
		if n := len(e.stored()); n != 121 {
			e.Errorf("%d documents instead of 121", n)
		}
	}},
	{"list stops when told to", func(e *env) {
		e.connect()
		e.mustUpload(docs(5, "a")...)
		stop := errors.New("enough")
		n := 0
		err := e.Target.List(e.Context(), func(targets.Remote) error {
			n++
			return stop
		})
		if !errors.Is(err, stop) || n != 1 {
			e.Errorf("%v after %d", err, n)
		}
	}},
	{"a cancelled context starts nothing", func(e *env) {
		e.connect()
		ids := e.mustUpload(docs(1, "a")...)
		ctx, cancel := context.WithCancel(e.Context())
		cancel()
		before := e.Backend.Requests()
		all := docs(2, "b")
		res, err := e.Target.Upload(ctx, all)
		if err == nil || len(res) != 2 || res[0].Err == nil {
			e.Errorf("upload: %+v, %v", res, err)
		}
		if _, err := e.Target.Delete(ctx, ids); err == nil {
			e.Error("delete went through")
		}
		if err := e.Target.List(ctx, func(targets.Remote) error { return nil }); err == nil {
			e.Error("list went through")
		}
		if n := e.Backend.Requests() - before; n != 0 {
			e.Errorf("%d requests", n)
		}
	}},
	{"close twice", func(e *env) {
		if err := errors.Join(e.Target.Close(), e.Target.Close()); err != nil {
			e.Error(err)
		}
	}},
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

var extras = []testCase{
	{"settle", func(e *env) {
		s, ok := e.Target.(targets.Settler)
		if !ok {
			e.Skip("is no Settler")
		}
		e.connect()
		for _, n := range []int{1, 2, 30} {
			all := docs(n, fmt.Sprintf("settle%d", n))
			ids := e.mustUpload(all...)
			for range 2 { // what runs or is done already is a success
				res, err := s.Start(e.Context(), ids)
				if e.note(err) != nil || len(res) != n {
					e.Fatalf("start: %v, %v", res, err)
				}
				for _, r := range res {
					if e.note(r.Err) != nil {
						e.Errorf("start %s: %v", r.ID, r.Err)
					}
				}
			}
			e.settle(s, ids, all)
		}
	}},
	{"start what is absent", func(e *env) {
		s, ok := e.Target.(targets.Settler)
		if !ok {
			e.Skip("is no Settler")
		}
		e.connect()
		all := docs(3, "a")
		ids := e.mustUpload(all...)
		if left := e.mustDelete(ids[1]); left {
			return
		}
		before := e.Backend.Requests()
		res, err := s.Start(e.Context(), ids)
		if e.note(err) != nil {
			e.Fatal(err)
		}
		asked := e.Backend.Requests() > before // a vendor that starts by itself is not asked, so nobody can know
		if res[0].Err != nil || res[2].Err != nil || (asked || res[1].Err != nil) && !errors.Is(res[1].Err, fault.ErrNotFound) {
			e.Errorf("%+v", res)
		}
		n := 0
		err = s.Statuses(e.Context(), map[targets.RemoteID]string{ids[1]: all[1].Name}, func(targets.Remote) { n++ })
		if err != nil || n != 0 {
			e.Errorf("the absent one has %d states, %v", n, err)
		}
	}},
	{"rename", func(e *env) {
		r, ok := e.Target.(targets.Renamer)
		if !ok {
			e.Skip("is no Renamer")
		}
		e.connect()
		old, now := doc("old.md", "text"), doc("new.md", "text")
		ids := e.mustUpload(old)
		if _, err := r.Rename(e.Context(), ids[0], now.Name); e.note(err) != nil {
			e.Fatal(err)
		}
		e.exactly(now)
		if got := e.mustList()[ids[0]].Name; got != now.Name {
			e.Errorf("listed as %q", got)
		}
		if left := e.mustDelete(ids[0]); left {
			return
		}
		if _, err := r.Rename(e.Context(), ids[0], old.Name); !errors.Is(e.note(err), fault.ErrNotFound) {
			e.Errorf("renaming what is gone: %v", err)
		}
	}},
	{"download", func(e *env) {
		d, ok := e.Target.(targets.Downloader)
		if !ok {
			e.Skip("is no Downloader")
		}
		e.connect()
		all := docs(2, "a")
		ids := e.mustUpload(all...)
		for i, id := range ids {
			rc, err := d.Download(e.Context(), id)
			if e.note(err) != nil {
				e.Fatal(err)
			}
			b, err := io.ReadAll(rc)
			if err := errors.Join(err, rc.Close()); err != nil {
				e.Fatal(err)
			}
			if kb.Sum(b) != all[i].Digest {
				e.Errorf("got %q", b)
			}
		}
		if left := e.mustDelete(ids[0]); left {
			return
		}
		if _, err := d.Download(e.Context(), ids[0]); !errors.Is(e.note(err), fault.ErrNotFound) {
			e.Errorf("downloading what is gone: %v", err)
		}
	}},
	{"link", linkCase},
}

// settle looks until every document is done.
func (e *env) settle(s targets.Settler, ids []targets.RemoteID, all []targets.Rendition) {
	e.Helper()
	waiting := map[targets.RemoteID]string{}
	for i, id := range ids {
		waiting[id] = all[i].Name
	}
	for range 100 {
		err := s.Statuses(e.Context(), waiting, func(r targets.Remote) {
			switch r.Status {
			case targets.StatusDone:
				delete(waiting, r.ID)
			case targets.StatusFailed, targets.StatusCancelled:
				e.Errorf("%s is %s: %s", r.Name, r.Status, r.Detail)
				delete(waiting, r.ID)
			}
		})
		if e.note(err) != nil {
			e.Fatal(err)
		}
		if len(waiting) == 0 {
			return
		}
		after(5 * time.Second)
	}
	e.Errorf("%d documents never settled", len(waiting))
}

// after lets the time of the bubble pass.
func after(d time.Duration) { <-time.After(d) }

func linkCase(e *env) {
	l, ok := e.Target.(targets.Linker)
	agents, can := e.Backend.(Agents)
	if !ok || !can {
		e.Skip("is no Linker")
	}
	e.connect()
	ids := e.mustUpload(docs(1, "a")...)
	agents.AddAgent("free")
	agents.AddAgent("second")
	agents.ConnectElsewhere("taken")
	want := []string{"free", "taken", "unknown-agent", "second"}

	res, err := l.Link(e.Context(), targets.LinkRequest{Want: want})
	if e.note(err) != nil || !res.Waiting || len(res.Assigned) > 0 {
		e.Errorf("before anything is searchable: %+v, %v", res, err)
	}
	if s, ok := e.Target.(targets.Settler); ok {
		if _, err := s.Start(e.Context(), ids); err != nil {
			e.Fatal(err)
		}
		e.settle(s, ids, docs(1, "a"))
	}
	res, err = l.Link(e.Context(), targets.LinkRequest{Want: want, Searchable: true, DryRun: true})
	if e.note(err) != nil || len(res.Assigned) != 2 || agents.Linked("free") {
		e.Errorf("dry run: %+v, %v", res, err)
	}
	res, err = l.Link(e.Context(), targets.LinkRequest{Want: want, Searchable: true})
	if e.note(err) != nil || len(res.Assigned) != 2 || len(res.Problems) != 2 || len(res.Ours) != 2 {
		e.Errorf("link: %+v, %v", res, err)
	}
	for _, p := range res.Problems {
		_ = e.note(p)
		e.classed(p)
	}
	if !agents.Linked("free") || !agents.Linked("second") || agents.Linked("taken") {
		e.Error("the wrong agents are linked")
	}
	for _, slip := range []string{"taken", "unknown-agent"} {
		ours := slices.Clone(res.Ours)
		slices.Sort(ours)
		for _, dry := range []bool{true, false} {
			res, err = l.Link(e.Context(), targets.LinkRequest{Want: []string{slip}, Ours: ours, Searchable: true, DryRun: dry})
			slices.Sort(res.Ours)
			if e.note(err) != nil || len(res.Unassigned) != 0 || len(res.Problems) != 1 || !slices.Equal(res.Ours, ours) {
				e.Errorf("%s in place of agents: %+v, %v", slip, res, err)
			} else if text := res.Problems[0].Error(); !strings.Contains(text, "until this is put right") {
				e.Errorf("the problem does not say that agents stay: %s", text)
			}
		}
		if !agents.Linked("free") || !agents.Linked("second") {
			e.Errorf("%s in place of agents took the store away from others", slip)
		}
	}
	res, err = l.Link(e.Context(), targets.LinkRequest{Want: want[:1], Ours: append(res.Ours, "taken"), Searchable: true})
	if e.note(err) != nil || len(res.Assigned) != 0 || len(res.Unassigned) != 1 || len(res.Ours) != 1 {
		e.Errorf("unlink: %+v, %v", res, err)
	}
	if !agents.Linked("free") || agents.Linked("second") {
		e.Error("the wrong agents are linked after all")
	}
}
