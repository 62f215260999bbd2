package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"kbsyncd/internal/console"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/state"
)

func (a *app) approveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "approve SYNC",
		Short: "Let held deletions go ahead in the next pass",
		Long:  "Lets exactly those deletions that are held now go ahead in the next pass. Documents that vanish later are counted anew.",
		Args:  exactly(1, "name the sync: kbsyncd approve SYNC"),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			if err := checkOnly(cfg, args); err != nil {
				return usage{err}
			}
			db, _, err := state.Open(cfg.State, state.Options{})
			if err != nil {
				return failed{err}
			}
			defer func() { _ = db.Close() }()
			sy, _ := cfg.Sync(args[0])
			p := a.program(cfg, a.stderr, true)
			total := 0
			for _, to := range sy.To {
				sides, err := p.Sides(db, sy, to)
				if err != nil {
					return failed{err}
				}
				for _, side := range sides {
					held, err := approve(db, side)
					if err != nil {
						return failed{err}
					}
					total += len(held)
					for _, k := range held {
						fmt.Fprintf(a.stdout, "  - %s\n", kb.Printable(string(k)))
					}
				}
			}
			if total == 0 {
				fmt.Fprintf(a.stdout, "%s: no deletions are held.\n", sy.Name)
				return nil
			}
			fmt.Fprintf(a.stdout, "%s: %s approved; the next pass deletes them.\n", sy.Name, console.Plural(total, "deletion"))
			return nil
		},
	}
}

// approve marks what is held of one flow, and gives it.
func approve(db *state.DB, f state.Flow) ([]kb.Key, error) {
	held, err := db.Held(f)
	if err != nil || len(held) == 0 {
		return nil, err
	}
	facts, _, err := db.Facts(f)
	if err != nil {
		return nil, err
	}
	facts.Approved = true
	return held, db.Update(f, func(w *state.Writer) error { return w.SetFacts(facts) })
}

func exactly(n int, hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usage{fmt.Errorf("%s", hint)}
		}
		return nil
	}
}
