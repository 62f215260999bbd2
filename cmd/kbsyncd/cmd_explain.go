package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/text/unicode/norm"

	"kbsyncd/internal/config"
	"kbsyncd/internal/convert"
	"kbsyncd/internal/daemon"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/state"
	"kbsyncd/internal/suggest"
	kbsync "kbsyncd/internal/sync"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "explain DOCUMENT",
		Short:   "Every rule and event that led to a document's state, at every target",
		Example: "  kbsyncd explain handbook/setup/install.md",
		Args:    exactly(1, "name the document as SOURCE/PATH, for example handbook/setup/install.md"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			return a.explain(cmd.Context(), cfg, kb.Key(norm.NFC.String(args[0])))
		},
	}
}

func (a *app) explain(ctx context.Context, cfg *config.Config, k kb.Key) error {
	if err := checkKey(cfg, k); err != nil {
		return usage{err}
	}
	p := a.program(cfg, a.stderr, true)
	fmt.Fprintf(a.stdout, "%s\n", kb.Printable(string(k)))
	db, _, err := state.Open(cfg.State, state.Options{ReadOnly: true})
	if err != nil {
		return failed{err}
	}
	defer func() { _ = db.Close() }()
	src, err := p.OpenSource(k.Source(), db)
	if err != nil {
		return failed{err}
	}
	defer func() { _ = src.Close() }()
	a.explainSource(ctx, src, k)
	for _, sy := range cfg.Syncs {
		if !slices.Contains(sy.From, k.Source()) {
			continue
		}
		for _, to := range sy.To {
			sides, err := p.Sides(db, sy, to)
			if err != nil {
				return failed{err}
			}
			for _, side := range sides {
				if err := a.explainFlow(db, cfg, side, k); err != nil {
					return failed{err}
				}
			}
		}
	}
	return nil
}

// checkKey refuses what cannot be a document.
func checkKey(cfg *config.Config, k kb.Key) error {
	name := kb.Printable(string(k))
	if _, ok := cfg.Sources[k.Source()]; ok {
		if k.Path() == "" {
			return fmt.Errorf("%s is a source; name a document as SOURCE/PATH", name)
		}
		return nil
	}
	known := slices.Sorted(maps.Keys(cfg.Sources))
	hint := suggest.Hint(k.Source(), known, "the sources are "+strings.Join(known, ", "))
	return fmt.Errorf("%s is no document, which is written SOURCE/PATH: no source is called %q; %s", name, kb.Printable(k.Source()), hint)
}

func (a *app) explainSource(ctx context.Context, src sources.Source, k kb.Key) {
	var rules []string
	if x, ok := src.(sources.Explainer); ok {
		rules = x.Explain(k.Path())
	}
	if c, ok := src.(sources.Checker); ok {
		there, err := c.Exists(ctx, k)
		switch {
		case err == nil && there:
			fmt.Fprintf(a.stdout, "  source   it is there\n")
		case err == nil:
			fmt.Fprintf(a.stdout, "  source   it is not there\n")
		case len(rules) == 0: // else they tell
			fmt.Fprintf(a.stdout, "  source   cannot tell whether it is there: %v\n", err)
		}
	}
	for _, line := range rules {
		fmt.Fprintf(a.stdout, "  rule     %s\n", line)
	}
}

// explainFlow tells what one target holds of the document and what the last pass said about it.
func (a *app) explainFlow(db *state.DB, cfg *config.Config, f state.Flow, k kb.Key) error {
	kind := cfg.Targets[f.Target].Type
	if f.Side != "" {
		kind += ", " + kb.Printable(f.Side)
	}
	fmt.Fprintf(a.stdout, "  %s → %s (%s)\n", f.Sync, f.Target, kind)
	r, ok, err := db.Record(f, k)
	if err != nil {
		return err
	}
	say := func(what, format string, args ...any) {
		fmt.Fprintf(a.stdout, "    %-8s %s\n", what, fmt.Sprintf(format, args...))
	}
	for _, line := range explainAgents(cfg, f, k, r) {
		say("agent", "%s", line)
	}
	switch {
	case !ok:
		say("record", "nothing was sent yet")
	case strings.HasPrefix(r.Skipped, "\x00"):
		say("skipped", "its front matter names other agents")
	case r.Skipped != "":
		say("skipped", "%s", r.Skipped)
	default:
		status := "sent, not searchable yet"
		if r.Settled {
			status = "searchable"
		}
		say("status", "%s, content %s", status, r.Content.String()[:12])
		scope := kb.NewScope(cfg.Owner, f.Sync)
		for _, pt := range r.Parts {
			m := kb.Mark{Scope: scope, Key: k.Hash(), Part: pt.N, Hash: pt.Hash}
			name := kb.RemoteName(k, m, pt.Ext, 255)
			if pt.Ext == convert.LinkExt {
				name += ", or as the address of the page"
			}
			say("remote", "%s as %s", pt.ID, name)
		}
		for _, id := range r.Retire {
			say("older", "%s is deleted once the new version is searchable", id)
		}
		if r.Narrowed {
			say("agents", "its front matter names %s", cmp.Or(kb.Printable(strings.Join(r.Agents, ", ")), "none"))
		}
	}
	run, err := db.LastRun(f)
	if err != nil || run == nil {
		return err
	}
	var e kbsync.Entry
	if err := json.Unmarshal(run, &e); err != nil {
		return fmt.Errorf("%w: last run of %s", state.ErrDamaged, f.Sync)
	}
	name := kb.Printable(string(k))
	for _, x := range e.Skipped {
		if x.Document == name && r.Skipped == "" {
			say("skipped", "%s", x.Reason)
		}
	}
	for _, x := range e.Failed {
		if x.Document == name {
			say("failed", "%s", x.Error)
		}
	}
	for _, x := range e.Pending {
		if x.Document == name {
			say("pending", "%s", x.Status)
		}
	}
	for _, x := range e.Held {
		if x.Document == name {
			say("held", "its deletion waits: %s; kbsyncd approve %s", x.Reason, f.Sync)
		}
	}
	if e.Error != "" {
		say("pass", "%s", strings.ReplaceAll(e.Error, " | ", "; "))
	}
	return nil
}

// explainAgents tells, where documents are handed out one by one, which agents of the configuration should have the document.
func explainAgents(cfg *config.Config, f state.Flow, k kb.Key, r state.Record) (lines []string) {
	kind := cfg.Targets[f.Target].Kind
	sy, ok := cfg.Sync(f.Sync)
	if !ok || !kind.AgentMatch {
		return nil
	}
	for _, a := range daemon.AgentsOf(sy, f.Target) {
		name := kb.Printable(a.ID)
		switch {
		case kind.AgentCopies && a.ID != f.Side:
		case a.Match != nil && !a.Match(k):
			lines = append(lines, name+": its match "+a.Rule+" leaves it out")
		case r.Narrowed && !slices.Contains(r.Agents, a.ID):
			lines = append(lines, name+": its front matter leaves it out")
		default:
			lines = append(lines, name+" should have it")
		}
	}
	return lines
}
