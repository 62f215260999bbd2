package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"kbsyncd/internal/simulator"
)

// simulation is what the flags of simulate ask for.
type simulation struct {
	vendor, listen, key string
	agents              []string
	delay, latency      time.Duration
	rate                float64
	starleads           simulator.StarleadsOptions
	chatbase            simulator.ChatbaseOptions
}

// simulated is one vendor that is played.
type simulated interface {
	http.Handler
	Close()
}

const allVendors = "all"

// simulatedVendors are the vendors in the order in which they are served. Each makes one that has the agents.
var simulatedVendors = []struct {
	name string
	make func(simulation) simulated
}{
	{"starleads", simulation.makeStarleads},
	{"chatbase", simulation.makeChatbase},
	{"hamsa", simulation.makeHamsa},
	{"converse", simulation.makeConverse},
}

func (a *app) simulateCommand() *cobra.Command {
	var s simulation
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "The simulated vendors alone, for trying a config",
		Long: `Runs simulated vendors on loopback until it is interrupted. It prints what to write as base_url. What one holds and
was asked is at /_sim/documents, /_sim/requests and /_sim/violations; POST /_sim/faults makes it misbehave.`,
		Example: "  kbsyncd simulate --vendor starleads --listen 127.0.0.1:9000 --key test --agent agt_1\n" +
			"  kbsyncd simulate --vendor all --listen 127.0.0.1:9000 --agent agt_1    # four of them, on 9000 to 9003",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.simulate(cmd.Context(), s) },
	}
	f := cmd.Flags()
	f.StringVar(&s.vendor, "vendor", "starleads", "which `vendor`: "+strings.Join(vendorNames(), ", ")+" or all")
	f.StringVar(&s.listen, "listen", "127.0.0.1:0", "`address` to listen on, with all the first of four ports; port 0 takes free ones")
	f.StringVar(&s.key, "key", "simulated-key", "the API `key` to accept")
	f.StringArrayVar(&s.agents, "agent", nil, "an agent `id` that exists (repeatable)")
	f.DurationVar(&s.delay, "parse-delay", 500*time.Millisecond, "how long a document takes to be parsed, trained or indexed")
	f.DurationVar(&s.latency, "latency", 0, "added to every request")
	f.Float64Var(&s.rate, "rate", 0, "requests a second above which 429 is answered; 0: no limit")

	f.BoolVar(&s.starleads.MixedBatch500, "mixed-batch-500", false, "starleads: a batch with one bad file answers 500 though the good ones are stored")
	f.BoolVar(&s.starleads.BareLists, "bare-lists", false, "starleads: lists are bare arrays")
	f.BoolVar(&s.starleads.UpperStatus, "upper-status", false, "starleads: statuses in RAGFlow's upper-case words")
	f.BoolVar(&s.starleads.BadIDs400, "bad-ids-400", false, "starleads: unknown ids give 400")
	f.BoolVar(&s.starleads.NumericIDs, "numeric-ids", false, "starleads: ids are numbers")
	f.BoolVar(&s.starleads.RenameResets, "rename-resets", false, "starleads: renaming a document resets its parsing")

	f.StringVar(&s.chatbase.Generation, "generation", "C", "chatbase: how changes go live: A by the dashboard, B by a call of train, C by themselves")
	f.Float64Var(&s.chatbase.Speed, "upload-speed", 1, "chatbase: at 60, its ten uploads a minute are ten a second")
	return cmd
}

func vendorNames() (names []string) {
	for _, v := range simulatedVendors {
		names = append(names, v.name)
	}
	return names
}

func (s simulation) validate() error {
	if s.vendor != allVendors && !slices.Contains(vendorNames(), s.vendor) {
		return usage{fmt.Errorf("--vendor %s: not simulated; %s are, and all of them with all", s.vendor, strings.Join(vendorNames(), ", "))}
	}
	if !slices.Contains([]string{"A", "B", "C"}, s.chatbase.Generation) {
		return usage{fmt.Errorf("--generation %s: there are A, B and C", s.chatbase.Generation)}
	}
	return nil
}

// simulate serves one vendor, or all of them one after the other, until ctx ends.
func (a *app) simulate(ctx context.Context, s simulation) error {
	if err := s.validate(); err != nil {
		return err
	}
	group, serving := errgroup.WithContext(ctx)
	addr, last := s.listen, ""
	for _, v := range simulatedVendors {
		if s.vendor != allVendors && s.vendor != v.name || serving.Err() != nil {
			continue
		}
		h, listen, bound := v.make(s), addr, make(chan string, 1)
		defer h.Close()
		group.Go(func() error {
			return simulator.ListenAndServe(serving, listen, h, func(addr string) { bound <- addr })
		})
		select {
		case last = <-bound:
			fmt.Fprintf(a.stdout, "%s http://%s (key %q)\n", v.name, last, s.key)
			addr = nextPort(s.listen, last)
			fmt.Fprintf(a.stderr, "  base_url: http://%s%s\n", last, map[string]string{"chatbase": "/api/v2", "converse": "/api/v1"}[v.name])
			if v.name == "chatbase" {
				fmt.Fprintf(a.stderr, "  files_url: http://%s/files/api/v2   (api: v1: base_url http://%s/api/v1)\n", last, last)
			}
		case <-serving.Done():
		}
	}
	if serving.Err() == nil {
		a.explainSimulation(s, last)
	}
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		return failed{err}
	}
	return nil
}

func (a *app) explainSimulation(s simulation, addr string) {
	agents := cmp.Or(strings.Join(s.agents, ", "), "none; add some with --agent")
	if s.vendor == allVendors {
		fmt.Fprintf(a.stderr, "What each holds is at its /_sim/documents. Agents: %s. Ctrl-C ends them and forgets everything.\n", agents)
		return
	}
	fmt.Fprintf(a.stderr, "What it holds: http://%s/_sim/documents. Agents: %s. Ctrl-C ends it and forgets everything.\n", addr, agents)
}

// nextPort is the address after the one that was bound; where a free port was asked for, it is asked for again.
func nextPort(listen, bound string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "" || port == "0" {
		return listen
	}
	_, port, err = net.SplitHostPort(bound)
	if err != nil {
		return listen
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return listen
	}
	return net.JoinHostPort(host, strconv.Itoa(n+1))
}

// Every simulation has a seed of its own, so that no earlier one gave the same ids.

func (s simulation) makeStarleads() simulated {
	o := s.starleads
	o.Key, o.ParseDelay, o.Latency, o.Rate, o.Seed = s.key, s.delay, s.latency, s.rate, rand.Uint64()
	v := simulator.NewStarleads(o)
	for _, id := range s.agents {
		v.AddAgent(id)
	}
	return v
}

func (s simulation) makeChatbase() simulated {
	o := s.chatbase
	o.Key, o.TrainDelay, o.Latency, o.Seed = s.key, s.delay, s.latency, rand.Uint64()
	o.Rate = int(math.Ceil(10 * s.rate)) // it is counted in ten seconds
	o.FetchPages = true                  // of this machine only, like the vendors themselves do of any
	v := simulator.NewChatbase(o)
	for _, id := range s.agents {
		v.AddAgent(id, "Agent "+id)
	}
	return v
}

func (s simulation) makeHamsa() simulated {
	v := simulator.NewHamsa(simulator.HamsaOptions{
		FetchPages: true,
		Key:        s.key, ProcessDelay: s.delay, Latency: s.latency, Rate: s.rate, Seed: rand.Uint64(),
	})
	for _, id := range s.agents {
		v.AddAgent(id)
	}
	return v
}

func (s simulation) makeConverse() simulated {
	v := simulator.NewConverse(simulator.ConverseOptions{
		FetchPages: true,
		Key:        s.key, IndexDelay: s.delay, Latency: s.latency, Rate: s.rate, Seed: rand.Uint64(),
	})
	for _, id := range s.agents {
		v.AddAgent(id)
	}
	return v
}
