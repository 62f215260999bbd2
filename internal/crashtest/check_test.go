package crashtest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/kb"
)

// remote is one document at the vendor, as our agent knows it.
type remote struct {
	id      string
	place   string // whose it is, or where it is, at vendors with several places
	name    string
	content []byte // what the agent answers from, when it does
	status  string
	live    bool // the agent answers from it
	gone    bool // deleted, though it may still be listed
	orphan  bool // an older version that the vendor cannot delete
	mark    kb.Mark
}

func (r remote) String() string {
	return fmt.Sprintf("%s %-9s live %-5t gone %-5t orphan %-5t %8d bytes %.30q %s", r.id, r.status, r.live, r.gone, r.orphan, len(r.content), r.content,
		kb.Printable(r.name))
}

// strangers are names of documents that are not ours, many of them nearly.
func (w *world) strangers() []string {
	other, same := kb.NewScope("somebody-else", syncName), kb.NewScope(owner, "another-sync")
	key := kb.Key("docs/install.md").Hash()
	ours := kb.Mark{Scope: w.scope, Key: key, Hash: kb.Sum([]byte("x")).Short()}.String()
	return []string{
		"install.md", "README.md", "name(1).md", "notes.txt", "kb", "x.kb", "x.kb.md",
		"install." + kb.Mark{Scope: other, Key: key}.String() + ".md",
		"install." + kb.Mark{Scope: same, Key: key}.String() + ".md",
		"install." + ours[:len(ours)-1] + ".md", // a digit too few
		"install." + ours + "a.md",              // one too many
		"install-" + ours + ".md",               // no dot
		"install." + strings.Replace(ours, "-", "_", 1) + ".md",
		"install." + strings.Replace(ours, "-", "-p0000-", 1) + ".md", // no such part
		"install." + ours[:8] + "1" + ours[9:] + ".md",                // 1 is no digit of a mark
	}
}

// settleStrangers puts foreign documents into our store and into another one.
func (w *world) settleStrangers() {
	for _, v := range w.vendors() {
		before := v.documents()
		for i, name := range w.strangers() {
			v.put(ourAgent, name, fmt.Appendf(nil, "Foreign document %d.\n", i))
		}
		v.put(ourAgent, "same bytes.md", w.tree.docs[0].content)
		v.put(ourAgent, "not parsed.md", []byte("Foreign and perhaps pending.\n"))
		v.put(otherAgent, "guide.md", []byte("Foreign.\n"))
		for id, d := range v.documents() {
			if _, was := before[id]; !was {
				v.foreign[id] = d
			}
		}
		v.theirs = v.assignments(v.foreign)
	}
}

// look holds what must be true at every moment (P2, P3, P9) and gives our documents. Of the world's own vendor it remembers what is searchable now.
func (w *world) look(v *vendor) map[kb.KeyHash][]remote {
	w.t.Helper()
	all := v.documents()
	for id, was := range v.foreign {
		if now := all[id]; !reflect.DeepEqual(now, was) {
			w.fail("P3: the foreign document %q was changed: %v", was.name, now)
		}
		delete(all, id)
	}
	if now := v.assignments(v.foreign); now != v.theirs {
		w.fail("P3: what agents were given by others was %s and is %s", v.theirs, now)
	}
	if bad := v.Violations(); len(bad) > 0 {
		w.fail("P9: documented limits were broken:\n%s", strings.Join(bad, "\n"))
	}
	ours := map[kb.KeyHash][]remote{}
	var any []remote
	for _, r := range all {
		m, _, ok := kb.ParseName(r.name)
		if !ok || m.Scope != w.scope || r.place != v.home() {
			w.fail("a document of ours without our mark, or in the place %q: %q", r.place, r.name)
		}
		r.mark = m
		ours[m.Key] = append(ours[m.Key], r)
		any = append(any, r)
	}
	if v == w.vendor {
		for _, d := range w.tree.docs {
			w.lookAt(d, ours[d.key().Hash()], any)
		}
	}
	return ours
}

func (w *world) lookAround() {
	w.t.Helper()
	for _, v := range w.vendors() {
		w.look(v)
	}
}

// census is what is searchable at each vendor.
func (w *world) census() (out []sight) {
	for _, v := range w.vendors() {
		out = append(out, v.sight(w.scope))
	}
	return out
}

// hold compares a census with what is there after a pass. When the source was upset so that nothing may be deleted (P4), all that was searchable
// is; and at every moment what is still a document has a searchable version (P2), also at vendors whose documents are not looked at one by one.
func (w *world) hold(u upset, out outcome, before []sight) {
	w.t.Helper()
	w.origin.calm()
	present := map[kb.KeyHash]bool{}
	for _, d := range w.tree.docs {
		present[d.key().Hash()] = true
	}
	for i, v := range w.vendors() {
		now := v.sight(w.scope)
		for key, had := range before[i].keys {
			switch {
			case now.keeps(key, had):
			case u.fails || u.held:
				w.fail("P4: while %s the document %v with %q went", u.what, key, had[:1])
			case present[key] && v != w.vendor && !v.forgets():
				w.fail("P2: at %s the document %v with %q was searchable and is not any more", v.url, key, had[:1])
			}
		}
	}
	if out.struck == "" && u.fails && out.code != 1 {
		w.fail("P4: %s, and the pass ended with %d", u.what, out.code)
	}
}

// lookAt holds P2 for one document: what was searchable has a searchable version.
func (w *world) lookAt(d *document, own, any []remote) {
	w.t.Helper()
	was := d.live
	d.live, d.exact = false, searchable(d.content, own)
	for _, version := range d.history {
		d.live = d.live || searchable(version, own)
	}
	switch {
	case d.live:
		d.moved = false
	case d.moved && searchable(d.content, any): // still, or already, under another name
		d.live, d.exact = true, true
	case d.moved && w.vendor.forgets():
		// This vendor forgets what it parsed when a document is renamed; nobody can rename there without a gap.
		d.moved = false
	case was && w.vendor.inPlace() && !d.small() && mixed(d.history, own):
		d.live = true // the parts of a document are replaced one after the other
	case was:
		w.fail("P2: %q was searchable and is not any more (renamed: %v, %d versions)", d.path, d.moved, len(d.history))
	}
}

// searchable tells whether content can be put together from live documents.
func searchable(content []byte, rs []remote) bool {
	want := marks(content)
	for _, r := range rs {
		if r.live && r.mark.Part == 0 && slices.Equal(marks(r.content), want) {
			return true
		}
	}
	return assembled(want, rs, 1)
}

func assembled(rest []string, rs []remote, part int) bool {
	if len(rest) == 0 {
		return part > 1
	}
	for _, r := range rs {
		if !r.live || r.mark.Part != part {
			continue
		}
		have := marks(r.content)
		if n := len(have); n > 0 && n <= len(rest) && slices.Equal(have, rest[:n]) && assembled(rest[n:], rs, part+1) {
			return true
		}
	}
	return false
}

// mixed tells whether what all versions begin with is live.
func mixed(versions [][]byte, rs []remote) bool {
	for _, v := range versions {
		first := marks(v)[0]
		if slices.ContainsFunc(rs, func(r remote) bool { return r.live && bytes.Contains(r.content, []byte(first)) }) {
			return true
		}
	}
	return false
}

// converged holds P1: the store is equal to the folder.
func (w *world) converged(v *vendor, orphans int) {
	w.t.Helper()
	w.fade(v)
	ours := w.look(v)
	var diff []string
	for h, rs := range ours {
		ours[h] = slices.DeleteFunc(rs, func(r remote) bool {
			if r.orphan {
				orphans--
			}
			return !r.live && (r.orphan || r.gone)
		})
	}
	if orphans != 0 {
		diff = append(diff, fmt.Sprintf("the report counts %d orphans more than there are", orphans))
	}
	for _, d := range w.tree.docs {
		h := d.key().Hash()
		if why := differs(d, ours[h]); why != "" {
			diff = append(diff, fmt.Sprintf("%q: %s", d.path, why))
		}
		delete(ours, h)
	}
	for _, rs := range ours {
		for _, r := range rs {
			diff = append(diff, fmt.Sprintf("%q belongs to no document of the folder", r.name))
		}
	}
	diff = append(diff, v.wrong(v.foreign)...)
	if len(diff) > 0 {
		w.fail("P1: after two passes without faults the store differs from the folder:\n%s", strings.Join(diff, "\n"))
	}
}

// settled notes that all stores are right, and holds P8 for all that sources keep.
func (w *world) settled() {
	w.t.Helper()
	for _, d := range w.tree.docs {
		d.history = [][]byte{d.content}
	}
	w.journal = nil
	w.must(filepath.WalkDir(w.cache(), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoring(err, fs.ErrNotExist)
		}
		b, err := os.ReadFile(name)
		if w.isSecret(b) {
			w.fail("P8: a secret is in %s", name)
		}
		return err
	}))
}

// fade waits until agents forgot what is deleted, which some learn by a training that nobody waits for.
func (w *world) fade(v *vendor) {
	for range 40 {
		lingers := false
		for _, d := range v.documents() {
			lingers = lingers || d.gone && d.live
		}
		if !lingers {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
}

// differs tells why what the vendor has of a document is not exactly that document.
func differs(d *document, rs []remote) string {
	slices.SortFunc(rs, func(a, b remote) int { return a.mark.Part - b.mark.Part })
	var have []string
	for i, r := range rs {
		switch {
		case len(rs) > 1 && r.mark.Part != i+1, len(rs) == 1 && r.mark.Part != 0:
			return fmt.Sprintf("%d remote documents, and they are not its parts: %s", len(rs), names(rs))
		case !r.live:
			return "not searchable: " + r.name + " is " + r.status
		case strings.HasSuffix(r.name, ").md"):
			return "a second copy was kept: " + r.name
		}
		have = append(have, marks(r.content)...)
	}
	if want := marks(d.content); !slices.Equal(have, want) {
		return fmt.Sprintf("%d lines at the vendor (%s), not the %d of the file, or others", len(have), names(rs), len(want))
	}
	return ""
}

func names(rs []remote) string {
	var out []string
	for _, r := range rs {
		out = append(out, r.name)
	}
	return strings.Join(out, ", ")
}
