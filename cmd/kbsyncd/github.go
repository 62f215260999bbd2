package main

import (
	"fmt"
	"os"
	"strings"

	"kbsyncd/internal/console"
	kbsync "kbsyncd/internal/sync"
)

func (a *app) onGitHub() bool {
	v, _ := a.env("GITHUB_ACTIONS")
	return v == "true"
}

// github writes a step summary and error annotations when the run is on GitHub Actions.
func (a *app) github(r *kbsync.Report) error {
	if a.onGitHub() {
		for _, e := range r.Syncs {
			if e.Error != "" {
				a.annotate("error", "kbsyncd "+e.Sync, e.Error)
			}
			for _, f := range e.Failed {
				a.annotate("error", f.Document+" at "+e.Target, f.Error)
			}
			for _, h := range e.Held {
				a.annotate("warning", h.Document, "deletion held: "+h.Reason)
			}
		}
	}
	file, _ := a.env("GITHUB_STEP_SUMMARY")
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(stepSummary(r))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// annotate writes a workflow command; it goes to standard error so that a report on standard output stays whole.
func (a *app) annotate(level, title, msg string) {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	fmt.Fprintf(a.stderr, "::%s title=%s::%s\n", level, property.Replace(title), data.Replace(msg))
}

func stepSummary(r *kbsync.Report) string {
	var b strings.Builder
	title := "kbsyncd"
	if r.DryRun {
		title = "kbsyncd: plan, nothing was changed"
	}
	b.WriteString("### " + title + "\n\n| sync | target | outcome | documents | uploaded | replaced | renamed | deleted | assigned | skipped | failed | held |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, e := range r.Syncs {
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %d | %d | %d | %d | %d | %d | %d |\n", e.Sync, e.Target, e.Outcome, e.Documents,
			e.Uploaded, e.Replaced, e.Renamed, e.Deleted, e.Assigned, len(e.Skipped), len(e.Failed), len(e.Held))
	}
	cell := strings.NewReplacer("|", `\|`, "<", "&lt;", "`", "'")
	for _, e := range r.Syncs {
		if n := e.Changed(); r.DryRun && n > 0 {
			fmt.Fprintf(&b, "\n<details><summary>%s: %s</summary>\n\n| action | document | size |\n|---|---|---|\n", e.Sync, console.Plural(n, "change"))
			shown := 0
			for _, c := range e.Changes {
				if c.Action == kbsync.ActionAdopt || shown == 200 {
					continue
				}
				shown++
				fmt.Fprintf(&b, "| %s | %s | %s |\n", c.Action, cell.Replace(c.Document), console.Size(c.Bytes))
			}
			b.WriteString("\n</details>\n")
		}
		if e.Error != "" {
			fmt.Fprintf(&b, "\n- **%s**: %s\n", e.Sync, cell.Replace(e.Error))
		}
		for _, f := range e.Failed[:min(50, len(e.Failed))] {
			fmt.Fprintf(&b, "\n- failed `%s` at %s: %s\n", cell.Replace(f.Document), e.Target, cell.Replace(f.Error))
		}
	}
	return b.String()
}
