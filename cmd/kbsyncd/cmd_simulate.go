package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kbsyncd/internal/simulator"
)

func (a *app) simulateCommand() *cobra.Command {
	var (
		vendor, listen string
		agents         []string
		o              simulator.StarleadsOptions
	)
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "The simulated vendors alone, for trying a config",
		Long: `Runs a simulated vendor on loopback until it is interrupted. Point base_url of a target there. What it holds and
was asked is at /_sim/documents, /_sim/requests and /_sim/violations; POST /_sim/faults makes it misbehave.`,
		Example: "  kbsyncd simulate --vendor starleads --listen 127.0.0.1:9000 --key test --agent agt_1",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if vendor != "starleads" {
				return usage{fmt.Errorf("--vendor %s: not simulated; starleads is", vendor)}
			}
			o.Seed = rand.Uint64() // ids that no earlier simulation gave
			s := simulator.NewStarleads(o)
			defer s.Close()
			for _, id := range agents {
				s.AddAgent(id)
			}
			err := simulator.ListenAndServe(cmd.Context(), listen, s, func(addr string) {
				fmt.Fprintf(a.stdout, "starleads http://%s (key %q)\n", addr, o.Key)
				fmt.Fprintf(a.stderr, "What it holds: http://%s/_sim/documents. Agents: %s. Ctrl-C ends it and forgets everything.\n",
					addr, cmp.Or(strings.Join(agents, ", "), "none; add some with --agent"))
			})
			if err != nil && cmd.Context().Err() == nil {
				return failed{err}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&vendor, "vendor", "starleads", "which `vendor`")
	f.StringVar(&listen, "listen", "127.0.0.1:0", "`address` to listen on; port 0 takes a free one")
	f.StringVar(&o.Key, "key", "simulated-key", "the API `key` to accept")
	f.StringArrayVar(&agents, "agent", nil, "an agent `id` that exists (repeatable)")
	f.DurationVar(&o.ParseDelay, "parse-delay", 500*time.Millisecond, "how long parsing a document takes")
	f.DurationVar(&o.Latency, "latency", 0, "added to every request")
	f.Float64Var(&o.Rate, "rate", 0, "requests a second above which 429 is answered; 0: no limit")
	f.BoolVar(&o.MixedBatch500, "mixed-batch-500", false, "a batch with one bad file answers 500 though the good ones are stored")
	f.BoolVar(&o.BareLists, "bare-lists", false, "lists are bare arrays")
	f.BoolVar(&o.UpperStatus, "upper-status", false, "statuses in RAGFlow's upper-case words")
	f.BoolVar(&o.BadIDs400, "bad-ids-400", false, "unknown ids give 400")
	f.BoolVar(&o.NumericIDs, "numeric-ids", false, "ids are numbers")
	f.BoolVar(&o.RenameResets, "rename-resets", false, "renaming a document resets its parsing")
	return cmd
}
