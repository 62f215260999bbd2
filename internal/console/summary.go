package console

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	kbsync "kbsyncd/internal/sync"
)

// most is how many documents of one list are shown; the rest is counted.
const most = 20

// Summary shows what a run did: a line for each flow, then everything that needs attention.
func (c *Console) Summary(r *kbsync.Report) {
	names := labels(r.Syncs)
	width := 0
	for _, n := range names {
		width = max(width, utf8.RuneCountInString(n))
	}
	for i, e := range r.Syncs {
		c.Printf("%s   %s\n", c.style(bold, pad(names[i], width)), c.outcome(e))
		c.details(e, strings.Repeat(" ", width+3))
	}
}

// labels name flows; the target is named only where a sync has several.
func labels(entries []*kbsync.Entry) []string {
	n := map[string]int{}
	for _, e := range entries {
		n[e.Sync]++
	}
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.Sync
		if n[e.Sync] > 1 {
			out[i] += " → " + e.Target
		}
		if e.Agent != "" {
			out[i] += " (" + e.Agent + ")"
		}
	}
	return out
}

// outcome is the line of one flow.
func (c *Console) outcome(e *kbsync.Entry) string {
	var head string
	switch {
	case e.Interrupted:
		head = c.style(yellow, "■ interrupted")
	case e.Outcome == kbsync.OutcomeOK:
		head = c.style(green, "✓ in sync")
	case e.Outcome == kbsync.OutcomeHeld:
		head = c.style(yellow, "! deletions held")
	case e.Outcome == kbsync.OutcomeIncomplete:
		head = c.style(red, "✗ incomplete")
	default:
		head = c.style(red, "✗ failed")
	}
	words := []string{head, Plural(e.Documents, "document")}
	for _, n := range []struct {
		n    int
		word string
	}{
		{e.Uploaded, "uploaded"}, {e.Replaced, "replaced"}, {e.Renamed, "renamed"}, {e.Deleted, "deleted"},
		{e.Adopted, "adopted"}, {e.Assigned, "assigned"}, {e.Unassigned, "unassigned"}, {len(e.Failed), "failed"},
		{len(e.Pending), "pending"}, {len(e.Held), "held"}, {len(e.Skipped), "skipped"},
	} {
		if n.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n.n, n.word))
		}
	}
	if e.Duration > 0 { // the state does not keep it
		words = append(words, Duration(e.Duration))
	}
	if e.Settled > 0 {
		words = append(words, "searchable after "+Duration(e.Settled))
	}
	return strings.Join(words, "   ")
}

// details lists what needs attention.
func (c *Console) details(e *kbsync.Entry, indent string) {
	if e.Error != "" {
		for line := range strings.SplitSeq(e.Error, " | ") {
			c.Printf("%s%s\n", indent, c.style(red, line))
		}
	}
	list := func(color, what string, n int, at func(int) (string, string)) {
		for i := range min(n, most) {
			doc, why := at(i)
			c.Printf("%s%s %s: %s\n", indent, c.style(color, what), doc, why)
		}
		if n > most {
			c.Printf("%s%s and %d more; --report FILE lists all\n", indent, c.style(color, what), n-most)
		}
	}
	list(red, "failed", len(e.Failed), func(i int) (string, string) { return e.Failed[i].Document, e.Failed[i].Error })
	list(yellow, "pending", len(e.Pending), func(i int) (string, string) { return e.Pending[i].Document, e.Pending[i].Status })
	list(yellow, "held", len(e.Held), func(i int) (string, string) { return e.Held[i].Document, e.Held[i].Reason })
	list(dim, "skipped", len(e.Skipped), func(i int) (string, string) { return e.Skipped[i].Document, e.Skipped[i].Reason })
	for _, n := range e.Notes {
		c.Printf("%s%s %s\n", indent, c.style(dim, "note:"), n)
	}
	if e.Orphans > 0 {
		c.Printf("%s%s %s out of use, which the vendor has no way to delete\n", indent, c.style(dim, "orphans:"), Plural(e.Orphans, "older version"))
	}
	if len(e.Held) > 0 && !e.Approved {
		c.Printf("%sThe held documents were not deleted. To delete them: kbsyncd approve %s, or run with --allow-deletes. Otherwise bring the documents back.\n",
			indent, e.Sync)
	}
}

// Plan shows what a dry run found, the way people know it.
func (c *Console) Plan(r *kbsync.Report) {
	for _, e := range r.Syncs {
		c.planHead(e)
		width := planWidth(e)
		for _, action := range planned {
			for _, ch := range e.Changes {
				if ch.Action == action {
					c.Printf("  %s\n", c.change(ch, width))
				}
			}
		}
		for _, s := range e.Skipped {
			size := strings.Repeat(" ", 10)
			if s.Bytes > 0 {
				size = fmt.Sprintf("%10s", Size(s.Bytes))
			}
			c.Printf("  %s %s %s   %s\n", c.style(yellow, "!"), pad(s.Document, width), size, c.style(dim, "skipped: "+s.Reason))
		}
		for _, h := range e.Held {
			c.Printf("  %s %s %10s   %s\n", c.style(yellow, "="), pad(h.Document, width), "", "deletion held: "+h.Reason)
		}
		for _, f := range e.Failed {
			c.Printf("  %s %s   %s\n", c.style(red, "✗"), pad(f.Document, width), f.Error)
		}
		for _, w := range e.Pending {
			c.Printf("  %s %s   %s\n", c.style(yellow, "…"), pad(w.Document, width), w.Status)
		}
		if e.Error != "" {
			c.Printf("  %s\n", c.style(red, e.Error))
		}
		for _, n := range e.Notes {
			c.Printf("  %s %s\n", c.style(dim, "note:"), n)
		}
		c.Printf("%s\n", c.totals(e))
	}
}

// planWidth is the width of the column of documents.
func planWidth(e *kbsync.Entry) (width int) {
	wider := func(doc string) { width = max(width, min(60, utf8.RuneCountInString(doc))) }
	for _, ch := range e.Changes {
		if slices.Contains(planned, ch.Action) {
			wider(ch.Document)
		}
	}
	for _, s := range e.Skipped {
		wider(s.Document)
	}
	for _, h := range e.Held {
		wider(h.Document)
	}
	return width
}

func (c *Console) planHead(e *kbsync.Entry) {
	store := e.Target
	if e.Store != "" {
		store = fmt.Sprintf("%q", e.Store)
	}
	if e.StoreMissing {
		store += " (to be created)"
	}
	c.Printf("%s → %s at %s\n", c.style(bold, e.Sync), store, e.Kind)
}

// planned are the actions that a plan shows, in its order. Adopting changes nothing at the vendor.
var planned = []string{
	kbsync.ActionUpload, kbsync.ActionReplace, kbsync.ActionRename, kbsync.ActionDelete, kbsync.ActionAssign, kbsync.ActionUnassign,
}

func (c *Console) change(ch kbsync.Change, width int) string {
	doc := pad(ch.Document, width)
	size := fmt.Sprintf("%10s", Size(ch.Bytes))
	if ch.Link {
		size = fmt.Sprintf("%10s", "link")
	}
	if ch.Parts > 1 {
		size += fmt.Sprintf(" in %d parts", ch.Parts)
	}
	switch ch.Action {
	case kbsync.ActionUpload:
		return c.style(green, "+") + " " + doc + " " + size
	case kbsync.ActionReplace:
		if ch.Modified.IsZero() {
			return c.style(yellow, "~") + " " + doc + " " + size
		}
		return c.style(yellow, "~") + " " + doc + " " + size + "   edited " + Ago(ch.Modified)
	case kbsync.ActionRename:
		from := ch.From
		if from == "" {
			from = "another name"
		}
		return c.style(cyan, ">") + " " + doc + " " + pad("", 10) + "   renamed from " + from
	case kbsync.ActionDelete:
		return c.style(red, "-") + " " + doc + " " + pad("", 10) + "   gone"
	case kbsync.ActionAssign, kbsync.ActionUnassign:
		if ch.Documents > 0 {
			more := map[string]string{kbsync.ActionAssign: "more", kbsync.ActionUnassign: "less"}[ch.Action]
			return c.style(cyan, "→") + " agent " + ch.Document + "   " + Plural(ch.Documents, "document") + " " + more
		}
		if ch.Action == kbsync.ActionUnassign {
			return c.style(cyan, "→") + " agent " + ch.Document + "   loses the knowledge base"
		}
		return c.style(cyan, "→") + " agent " + ch.Document + "   gets the knowledge base"
	}
	return ""
}

func (c *Console) totals(e *kbsync.Entry) string {
	var parts []string
	for _, n := range []struct {
		n    int
		noun string
	}{
		{e.Uploaded, "upload"}, {e.Replaced, "replacement"}, {e.Renamed, "rename"}, {e.Deleted, "deletion"},
		{e.Assigned, "assignment"}, {e.Unassigned, "removal"},
	} {
		if n.n > 0 {
			parts = append(parts, Plural(n.n, n.noun))
		}
	}
	if len(e.Held) > 0 {
		parts = append(parts, Plural(len(e.Held), "deletion")+" held (kbsyncd approve "+e.Sync+" after a pass, or --allow-deletes)")
	}
	if len(parts) == 0 {
		s := "Plan: nothing to do, " + Plural(e.Documents, "document") + " in place."
		if e.Error != "" || len(e.Failed) > 0 {
			s = "Plan: incomplete, see above."
		}
		return s
	}
	s := "Plan: " + strings.Join(parts, ", ") + ". " + Plural(e.PlanCalls, "request") + ", " + Size(e.PlanBytes)
	if e.PlanTime > 0 {
		s += ", about " + Duration(e.PlanTime)
	}
	return s + ". Nothing was changed (--dry-run)."
}

// Status shows what the last passes left behind; note adds a few words to a flow.
func (c *Console) Status(entries []*kbsync.Entry, note func(int) string) {
	names := labels(entries)
	width := 0
	for _, n := range names {
		width = max(width, utf8.RuneCountInString(n))
	}
	for i, e := range entries {
		if e.Outcome == "never run" {
			c.Printf("%s   %s\n", c.style(bold, pad(names[i], width)), note(i))
			continue
		}
		c.Printf("%s   %s   %s\n", c.style(bold, pad(names[i], width)), c.outcome(e), c.style(dim, note(i)))
		c.details(e, strings.Repeat(" ", width+3))
	}
}
