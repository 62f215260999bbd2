package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kbsyncd/internal/console"
	"kbsyncd/internal/state"
	kbsync "kbsyncd/internal/sync"
)

// flowStatus is one flow as `status --json` prints it.
type flowStatus struct {
	*kbsync.Entry
	Store      string    `json:"store"`
	Reconciled time.Time `json:"reconciled_at,omitzero"`
	Dirty      bool      `json:"dirty"`
	Approved   bool      `json:"approved"`
}

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "What is in sync, pending, held and failed, as the last pass left it",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			db, _, err := state.Open(cfg.State, state.Options{ReadOnly: true})
			if err != nil {
				return failed{err}
			}
			defer func() { _ = db.Close() }()
			var all []flowStatus
			p := a.program(cfg, a.stderr, true)
			for _, sy := range cfg.Syncs {
				for _, to := range sy.To {
					sides, err := p.Sides(db, sy, to)
					if err != nil {
						return failed{err}
					}
					for _, side := range sides {
						s, err := readStatus(db, side)
						if err != nil {
							return failed{err}
						}
						all = append(all, s)
					}
				}
			}
			if asJSON {
				enc := json.NewEncoder(a.stdout)
				enc.SetIndent("", "  ")
				return enc.Encode(map[string]any{"version": 1, "syncs": all})
			}
			a.showStatus(all)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON on standard output")
	return cmd
}

func readStatus(db *state.DB, f state.Flow) (flowStatus, error) {
	s := flowStatus{Entry: &kbsync.Entry{Sync: f.Sync, Target: f.Target, Outcome: "never run"}}
	defer s.fillLists()
	facts, _, err := db.Facts(f)
	if err != nil {
		return s, err
	}
	s.Store, s.Reconciled, s.Dirty, s.Approved = facts.StoreName, facts.Reconciled, facts.Dirty, facts.Approved
	run, err := db.LastRun(f)
	if err != nil || run == nil {
		return s, err
	}
	if err := json.Unmarshal(run, s.Entry); err != nil {
		return s, fmt.Errorf("%w: last run of %s", state.ErrDamaged, f.Sync)
	}
	return s, nil
}

// fillLists makes empty lists of those that are missing.
func (s flowStatus) fillLists() {
	fill(&s.Changes)
	fill(&s.Skipped)
	fill(&s.Pending)
	fill(&s.Held)
	fill(&s.Failed)
}

func fill[E any](list *[]E) {
	if *list == nil {
		*list = []E{}
	}
}

func (a *app) showStatus(all []flowStatus) {
	out := console.New(a.stdout, a.env)
	entries := make([]*kbsync.Entry, len(all))
	for i, s := range all {
		s.Entry.Approved = s.Approved
		entries[i] = s.Entry
	}
	out.Status(entries, func(i int) string {
		s := all[i]
		switch {
		case s.Outcome == "never run":
			return "no pass yet; run kbsyncd --once"
		case s.Dirty:
			return fmt.Sprintf("%q; the next pass lists the vendor first", s.Store)
		case s.Approved:
			return fmt.Sprintf("%q; the held deletions are approved for the next pass", s.Store)
		}
		return fmt.Sprintf("%s; %q compared with the vendor %s", console.Ago(s.At), s.Store, console.Ago(s.Reconciled))
	})
}
