package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kbsyncd/internal/config"
	"kbsyncd/internal/console"
	"kbsyncd/internal/daemon"
	"kbsyncd/internal/kb"
)

const demoPause = 3 * time.Second

func (a *app) demoCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Four simulated vendors on loopback, sample documents, the real engine",
		Long: `Starts a simulated Starleads, Chatbase, Hamsa and Converse on loopback and lets the real engine keep them equal to one folder
of sample documents: a first sync with agents, a pass with nothing to do, an edit, a rename, a deletion, a question. Then it
compares what each agent can answer from with the folder. Nothing leaves this machine.

With --once it ends there; the exit code is 1 when anything is not as it should be. Without, it goes on syncing the folder
every few seconds: edit the files and watch.`,
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
	vendors demoVendors
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
	t, stop, err := a.newTour(ctx, dir)
	if err != nil {
		return err
	}
	defer stop()
	t.out.Printf("Simulated on %s. The documents are in %s\n", t.vendors.addresses(), t.docs)
	if err := t.steps(ctx); err != nil {
		return err
	}
	if err := t.verify(); err != nil {
		return err
	}
	if once {
		return nil
	}
	return t.stay(ctx)
}

// newTour starts the vendors, writes the sample documents and the configuration, and loads it like any other.
func (a *app) newTour(ctx context.Context, dir string) (t *tour, stop func(), err error) {
	t = &tour{app: a, docs: filepath.Join(dir, "docs"), out: console.New(a.stdout, a.env)}
	if err := writeSamples(dir); err != nil {
		return nil, nil, err
	}
	t.vendors, stop, err = startDemoVendors(ctx)
	if err != nil {
		return nil, nil, err
	}
	cfg, err := config.Load(filepath.Join(dir, "kbsync.yaml"), t.vendors.env, kinds())
	if err != nil {
		stop()
		return nil, nil, err
	}
	t.program = &daemon.Program{Config: cfg, Log: slog.New(slog.DiscardHandler), UserAgent: "kbsyncd/" + version()}
	return t, stop, nil
}

// steps is the tour.
func (t *tour) steps(ctx context.Context) error {
	for _, s := range []struct {
		title string
		do    func() error
	}{
		{"First sync: everything is sent, made searchable, and handed to five agents", func() error { return nil }},
		{"Nothing changed: no request at all", func() error { return nil }},
		{"sales/prices.md is edited: in place at Chatbase; elsewhere the new version is live before the old one goes", func() error {
			return os.WriteFile(t.file("sales/prices.md"), []byte("# Prices\n\nThe Uno is €189 this week.\n"), 0o600)
		}},
		{"questions.md becomes faq.md: renamed in place where the vendor can", func() error {
			return os.Rename(t.file("questions.md"), t.file("faq.md"))
		}},
		{"sales/stock.csv is deleted: so are the vendors' copies", func() error { return os.Remove(t.file("sales/stock.csv")) }},
	} {
		if err := s.do(); err != nil {
			return err
		}
		t.out.Printf("\n── %s\n", s.title)
		if err := t.pass(ctx, true); err != nil {
			return err
		}
	}
	return t.ask(ctx)
}

func (t *tour) file(name string) string { return filepath.Join(t.docs, filepath.FromSlash(name)) }

// pass makes one pass and shows it with what it changed at the vendors.
func (t *tour) pass(ctx context.Context, always bool) error {
	t.vendors.forget()
	rep, err := t.program.RunOnce(ctx, daemon.Once{}, nil)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if always || rep.Changed() > 0 || rep.ExitCode != exitOK {
		t.out.Summary(rep)
		t.out.Printf("%s", t.vendors.written())
	}
	if always && rep.ExitCode != exitOK {
		return errors.New("the pass did not end in sync")
	}
	return nil
}

// ask puts a question to the vendor that answers some itself.
func (t *tour) ask(ctx context.Context) error {
	const question = "How much is the Uno this week?"
	t.out.Printf("\n── kbsyncd search converse %q\n", question)
	hits, err := t.program.Search(ctx, "converse", question, 1)
	if err != nil {
		return err
	}
	if len(hits) == 0 || !strings.Contains(hits[0].Text, "€189") {
		return errors.New("the question is not answered from the newest version")
	}
	t.out.Printf("%s: %s\n", kb.Printable(hits[0].Name), kb.Printable(strings.Join(strings.Fields(hits[0].Text), " ")))
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
