package crashtest

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/simulator"
)

// remote is one document of ours at the vendor.
type remote struct {
	simulator.Document

	mark kb.Mark
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

// settleStrangers puts foreign documents into our dataset and into another one.
func (w *world) settleStrangers() {
	before := w.documents()
	for i, name := range w.strangers() {
		w.vendor.Put(datasetName, name, fmt.Appendf(nil, "Foreign document %d.\n", i), simulator.StatusDone)
	}
	w.vendor.Put(datasetName, "same bytes.md", w.tree.docs[0].content, simulator.StatusDone)
	w.vendor.Put(datasetName, "not parsed.md", []byte("Foreign and pending.\n"), simulator.StatusPending)
	w.vendor.Put("Another dataset", "guide.md", []byte("Foreign.\n"), simulator.StatusDone)
	for id, d := range w.documents() {
		if _, was := before[id]; !was {
			w.foreign = append(w.foreign, d)
		}
	}
}

func (w *world) documents() map[string]simulator.Document {
	out := map[string]simulator.Document{}
	for _, d := range w.vendor.Documents() {
		out[d.ID] = d
	}
	return out
}

// look holds what must be true at every moment (P2, P3, P9) and remembers what is searchable now.
func (w *world) look() map[kb.KeyHash][]remote {
	w.t.Helper()
	all := w.documents()
	for _, was := range w.foreign {
		if now := all[was.ID]; !reflect.DeepEqual(now, was) {
			w.fail("P3: the foreign document %q was changed: %+v", was.Name, now)
		}
		delete(all, was.ID)
	}
	if chat, _ := w.vendor.AgentChat(otherAgent); chat != w.theirs {
		w.fail("P3: the other agent is connected to chat %q now", chat)
	}
	if v := w.vendor.Violations(); len(v) > 0 {
		w.fail("P9: documented limits were broken:\n%s", strings.Join(v, "\n"))
	}
	ours := map[kb.KeyHash][]remote{}
	var any []remote
	datasets := w.vendor.Datasets()
	for _, d := range all {
		m, _, ok := kb.ParseName(d.Name)
		if !ok || m.Scope != w.scope || datasets[d.Dataset] != datasetName {
			w.fail("a document of ours without our mark, or in dataset %q: %q", datasets[d.Dataset], d.Name)
		}
		r := remote{d, m}
		ours[m.Key] = append(ours[m.Key], r)
		any = append(any, r)
	}
	for _, d := range w.tree.docs {
		w.lookAt(d, ours[d.key().Hash()], any)
	}
	return ours
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
	case d.moved && w.opts.RenameResets:
		// This vendor forgets what it parsed when a document is renamed; nobody can rename there without a gap.
		d.moved = false
	case was:
		w.fail("P2: %q was searchable and is not any more (renamed: %v, %d versions)", d.path, d.moved, len(d.history))
	}
}

// searchable tells whether content can be put together from searchable documents.
func searchable(content []byte, rs []remote) bool {
	for _, r := range rs {
		if r.Searchable && r.mark.Part == 0 && bytes.Equal(r.Content, content) {
			return true
		}
	}
	return assembled(content, rs, 1)
}

func assembled(rest []byte, rs []remote, part int) bool {
	if len(rest) == 0 {
		return part > 1
	}
	for _, r := range rs {
		if r.Searchable && r.mark.Part == part && len(r.Content) > 0 && bytes.HasPrefix(rest, r.Content) && assembled(rest[len(r.Content):], rs, part+1) {
			return true
		}
	}
	return false
}

// converged holds P1: the store is equal to the folder.
func (w *world) converged() {
	w.t.Helper()
	ours := w.look()
	var diff []string
	for _, d := range w.tree.docs {
		h := d.key().Hash()
		if why := differs(d, ours[h]); why != "" {
			diff = append(diff, fmt.Sprintf("%q: %s", d.path, why))
		}
		delete(ours, h)
	}
	for _, rs := range ours {
		for _, r := range rs {
			diff = append(diff, fmt.Sprintf("%q belongs to no document of the folder", r.Name))
		}
	}
	if n := len(w.vendor.Datasets()); n > 2 {
		diff = append(diff, fmt.Sprintf("there are %d datasets", n))
	}
	chat, datasets := w.vendor.AgentChat(ourAgent)
	if chat == "" || len(datasets) != 1 || w.vendor.Datasets()[datasets[0]] != datasetName {
		diff = append(diff, fmt.Sprintf("the agent has chat %q with datasets %v", chat, datasets))
	}
	if len(diff) > 0 {
		w.fail("P1: after two passes without faults the store differs from the folder:\n%s", strings.Join(diff, "\n"))
	}
	for _, d := range w.tree.docs {
		d.history = [][]byte{d.content}
	}
	w.journal = nil
}

// differs tells why what the vendor has of a document is not exactly that document.
func differs(d *document, rs []remote) string {
	slices.SortFunc(rs, func(a, b remote) int { return a.mark.Part - b.mark.Part })
	var have []byte
	for i, r := range rs {
		switch {
		case len(rs) > 1 && r.mark.Part != i+1, len(rs) == 1 && r.mark.Part != 0:
			return fmt.Sprintf("%d remote documents, and they are not its parts: %s", len(rs), names(rs))
		case !r.Searchable:
			return "not searchable: " + r.Name + " is " + r.Status
		case strings.HasSuffix(r.Name, ").md"):
			return "a second copy was kept: " + r.Name
		}
		have = append(have, r.Content...)
	}
	if !bytes.Equal(have, d.content) {
		return fmt.Sprintf("%d bytes at the vendor (%s), not the %d of the file", len(have), names(rs), len(d.content))
	}
	return ""
}

func names(rs []remote) string {
	var out []string
	for _, r := range rs {
		out = append(out, r.Name)
	}
	return strings.Join(out, ", ")
}
