package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kbsyncd/internal/config"
	"kbsyncd/internal/console"
	"kbsyncd/internal/daemon"
	"kbsyncd/internal/simulator"
)

//go:embed demo/docs
var demoDocs embed.FS

const (
	demoKey   = "demo-key"
	demoAgent = "agt_demo"
	demoPause = 3 * time.Second
)

func (a *app) demoCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "A simulated vendor on loopback, sample documents, the real engine",
		Long: `Starts a simulated Starleads on loopback and lets the real engine keep it equal to a folder of sample documents: a first
sync with an agent, a pass with nothing to do, an edit, a rename, a deletion. Nothing leaves this machine.

With --once it ends there. Without, it goes on syncing the folder every few seconds: edit the files and watch.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := a.demo(cmd.Context(), once)
			if err != nil && !errors.Is(err, context.Canceled) {
				return failed{err}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the tour")
	return cmd
}

// tour is a running demonstration.
type tour struct {
	*app
	vendor  *simulator.Starleads
	program *daemon.Program
	docs    string
	out     *console.Console
}

func (a *app) demo(ctx context.Context, once bool) error {
	dir, err := os.MkdirTemp("", "kbsyncd-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	t := &tour{app: a, docs: filepath.Join(dir, "docs"), out: console.New(a.stdout, a.env)}
	t.vendor = simulator.NewStarleads(simulator.StarleadsOptions{Key: demoKey, ParseDelay: 400 * time.Millisecond, Latency: 20 * time.Millisecond})
	defer t.vendor.Close()
	t.vendor.AddAgent(demoAgent)
	stop, addr, err := serve(ctx, t.vendor)
	if err != nil {
		return err
	}
	defer func() { _ = stop() }()
	if err := t.prepare(dir, addr); err != nil {
		return err
	}
	t.out.Printf("A simulated Starleads listens on %s; the documents are in %s.\n", addr, t.docs)
	if err := t.steps(ctx); err != nil {
		return err
	}
	if once {
		return t.verify()
	}
	return t.stay(ctx)
}

// serve runs a simulated vendor on a free port of the loopback until stop is called; an interrupted pass still needs it.
func serve(ctx context.Context, h http.Handler) (stop func() error, addr string, err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ready := make(chan string, 1)
	done := make(chan error, 1)
	go func() {
		done <- simulator.ListenAndServe(ctx, net.JoinHostPort("127.0.0.1", "0"), h, func(addr string) { ready <- addr })
	}()
	select {
	case addr = <-ready:
		return func() error { cancel(); return <-done }, "http://" + addr, nil
	case err = <-done:
		cancel()
		return nil, "", err
	}
}

// prepare writes the sample documents and a configuration, and loads it like any other.
func (t *tour) prepare(dir, addr string) error {
	samples, err := fs.Sub(demoDocs, "demo/docs")
	if err != nil {
		return err
	}
	if err := os.CopyFS(t.docs, samples); err != nil {
		return err
	}
	file := filepath.Join(dir, "kbsync.yaml")
	text := fmt.Sprintf(`sources:
  handbook: { type: folder, path: docs }
targets:
  support:
    type: starleads
    api_key: %s
    base_url: %s
    rate: 100
    dataset: Support handbook
    chat: Support assistant
syncs:
  support: { from: handbook, to: support, agents: [%s] }
`, demoKey, addr, demoAgent)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	cfg, err := config.Load(file, t.env, kinds())
	if err != nil {
		return err
	}
	t.program = &daemon.Program{Config: cfg, Log: slog.New(slog.DiscardHandler), UserAgent: "kbsyncd/" + version()}
	return nil
}

// steps is the tour.
func (t *tour) steps(ctx context.Context) error {
	write := func(name, text string) func() error {
		return func() error { return os.WriteFile(filepath.Join(t.docs, name), []byte(text), 0o644) }
	}
	for _, s := range []struct {
		title string
		do    func() error
	}{
		{"First sync: everything is sent, parsed, and handed to agent " + demoAgent, func() error { return nil }},
		{"Nothing changed: no request at all", func() error { return nil }},
		{"pricing.md is edited: the new version goes live before the old one goes", write("pricing.md", "# Prices\n\nThe Uno is €189 this week.\n")},
		{"questions.md becomes faq.md: renamed in place, not sent again", func() error {
			return os.Rename(filepath.Join(t.docs, "questions.md"), filepath.Join(t.docs, "faq.md"))
		}},
		{"stock.csv is deleted: so is the vendor's copy", func() error { return os.Remove(filepath.Join(t.docs, "stock.csv")) }},
	} {
		if err := s.do(); err != nil {
			return err
		}
		t.out.Printf("\n── %s\n", s.title)
		if err := t.pass(ctx, true); err != nil {
			return err
		}
	}
	t.out.Printf("\n── What the vendor holds now\n")
	for _, d := range t.vendor.Documents() {
		t.out.Printf("   %-60s %10s   %s\n", d.Name, console.Size(int64(len(d.Content))), d.Status)
	}
	if chat, sets := t.vendor.AgentChat(demoAgent); chat != "" {
		t.out.Printf("   agent %s answers from %s\n", demoAgent, console.Plural(len(sets), "dataset"))
	}
	return nil
}

// pass makes one pass and shows it with its requests.
func (t *tour) pass(ctx context.Context, always bool) error {
	t.vendor.ResetRequests()
	rep, err := t.program.RunOnce(ctx, daemon.Once{}, nil)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if always || rep.Changed() > 0 || rep.ExitCode != exitOK {
		t.out.Summary(rep)
		t.out.Printf("%s", requestLines(t.vendor.Requests()))
	}
	if always && rep.ExitCode != exitOK {
		return errors.New("the pass did not end in sync")
	}
	return nil
}

// requestLines sums up what the vendor was asked; equal requests in a row become one line.
func requestLines(reqs []simulator.Request) string {
	if len(reqs) == 0 {
		return "          (no requests)\n"
	}
	var b strings.Builder
	for i := 0; i < len(reqs); {
		n := i + 1
		for n < len(reqs) && reqs[n].Method == reqs[i].Method && reqs[n].Path == reqs[i].Path {
			n++
		}
		times := ""
		if n-i > 1 {
			times = fmt.Sprintf("   × %d", n-i)
		}
		files := ""
		if reqs[i].Files > 0 {
			files = "   " + console.Plural(reqs[i].Files, "file")
		}
		fmt.Fprintf(&b, "          %-6s %s%s%s\n", reqs[i].Method, reqs[i].Path, files, times)
		i = n
	}
	return b.String()
}

// verify makes sure that the tour ended as it says.
func (t *tour) verify() error {
	var names []string
	for _, d := range t.vendor.Documents() {
		if !d.Searchable {
			return fmt.Errorf("%s is not searchable", d.Name)
		}
		stem, _, _ := strings.Cut(d.Name, ".kb")
		names = append(names, stem)
	}
	slices.Sort(names)
	want := []string{"faq", "first-cup", "pricing", "repair", "welcome"}
	if !slices.Equal(names, want) {
		return fmt.Errorf("the vendor holds %v, not %v", names, want)
	}
	if v := t.vendor.Violations(); len(v) > 0 {
		return fmt.Errorf("a rule of the vendor was broken: %s", v[0])
	}
	t.out.Printf("\nDone: the vendor equals the folder, and no rule of the vendor was broken. Next: kbsyncd init\n")
	return nil
}

// stay goes on until it is interrupted.
func (t *tour) stay(ctx context.Context) error {
	t.out.Printf("\nNow edit, add or delete files in %s; a pass runs every %s. Ctrl-C ends.\n", t.docs, demoPause)
	tick := time.NewTicker(demoPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if err := t.pass(ctx, false); err != nil {
				return err
			}
		}
	}
}
