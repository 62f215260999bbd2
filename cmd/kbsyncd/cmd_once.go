package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kbsyncd/internal/config"
	"kbsyncd/internal/console"
	"kbsyncd/internal/daemon"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/suggest"
	kbsync "kbsyncd/internal/sync"
)

type onceFlags struct {
	once, dryRun, reconcile, allowDeletes, noWait, exitCode bool
	only                                                    []string
	report                                                  string
}

func (o *onceFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.once, "once", false, "one pass over everything, then exit")
	f.BoolVar(&o.dryRun, "dry-run", false, "with --once: print the plan, change nothing")
	f.StringArrayVar(&o.only, "only", nil, "with --once: this `sync` only (repeatable)")
	f.BoolVar(&o.reconcile, "reconcile", false, "with --once: list the vendors first, even when the records are trusted")
	f.BoolVar(&o.allowDeletes, "allow-deletes", false, "with --once: pass the max_delete guard this time")
	f.BoolVar(&o.noWait, "no-wait", false, "with --once: do not wait for settling; what is not searchable yet counts as pending (exit 1)")
	f.StringVar(&o.report, "report", "", "with --once: write a JSON report to `file` (\"-\" = standard output)")
	f.BoolVar(&o.exitCode, "exit-code", false, "with --dry-run: exit 4 when changes are pending")
}

// validate finds combinations that cannot be meant.
func (o *onceFlags) validate() error {
	switch {
	case !o.once && (o.dryRun || len(o.only) > 0 || o.reconcile || o.allowDeletes || o.noWait || o.report != "" || o.exitCode):
		return usage{errors.New("these flags go with --once; run kbsyncd --once …")}
	case o.exitCode && !o.dryRun:
		return usage{errors.New("--exit-code goes with --dry-run")}
	case !o.once:
		return usage{errors.New("the daemon is not built yet; run kbsyncd --once, for example from cron or a systemd timer")}
	}
	return nil
}

func (a *app) once(ctx context.Context, o onceFlags) error {
	if err := o.validate(); err != nil {
		return err
	}
	cfg, err := a.load()
	if err != nil {
		return err
	}
	if err := checkOnly(cfg, o.only); err != nil {
		return usage{err}
	}
	write, err := a.openReport(o.report)
	if err != nil {
		return usage{err}
	}
	out := console.New(a.stdout, a.env)
	if o.report == "-" {
		out = console.New(a.stderr, a.env)
	}
	p := a.program(cfg, out.Beside(a.stderr), out.Terminal())
	rep, err := a.runOnce(ctx, p, o, out)
	if err != nil {
		if werr := write(nil); werr != nil {
			p.Log.Warn("the report could not be cleaned up", "err", werr)
		}
		if errors.Is(err, fault.ErrSetup) {
			return usage{err}
		}
		return failed{err}
	}
	if o.exitCode && rep.ExitCode == exitOK && rep.Changed() > 0 {
		rep.ExitCode = exitChanges
	}
	if o.dryRun {
		out.Plan(rep)
	} else {
		out.Summary(rep)
	}
	if err := a.github(rep); err != nil {
		p.Log.Warn("the GitHub step summary could not be written", "err", err)
	}
	if err := write(rep); err != nil {
		return failed{err}
	}
	if rep.ExitCode != exitOK {
		return exit{rep.ExitCode}
	}
	return nil
}

func (a *app) runOnce(ctx context.Context, p *daemon.Program, o onceFlags, out *console.Console) (*kbsync.Report, error) {
	stop := func() {}
	defer func() { stop() }()
	return p.RunOnce(ctx, daemon.Once{
		Only: o.only,
		Options: kbsync.Options{
			DryRun: o.dryRun, Reconcile: o.reconcile, AllowDeletes: o.allowDeletes, NoWait: o.noWait,
			KeepChanges: o.dryRun || o.report != "" || a.onGitHub(),
		},
	}, func(live []daemon.Live) {
		rows := make([]console.Row, len(live))
		for i, l := range live {
			rows[i] = console.Row{Name: l.Sync, Progress: l.Progress}
		}
		stop = out.Live(rows)
	})
}

// checkOnly refuses names that no sync has.
func checkOnly(cfg *config.Config, only []string) error {
	var names []string
	for _, s := range cfg.Syncs {
		names = append(names, s.Name)
	}
	for _, n := range only {
		if slices.Contains(names, n) {
			continue
		}
		hint := suggest.Hint(n, names, "the syncs are "+strings.Join(names, ", "))
		return fmt.Errorf("%s:%d: no sync is called %q; %s", cfg.File, cfg.SyncsLine, n, hint)
	}
	return nil
}

// openReport makes sure, before anything is touched, that the report can be written. The function that it returns writes
// the report at once and whole; given nil it cleans up.
func (a *app) openReport(name string) (func(*kbsync.Report) error, error) {
	switch name {
	case "":
		return func(*kbsync.Report) error { return nil }, nil
	case "-":
		return func(r *kbsync.Report) error {
			if r == nil {
				return nil
			}
			return json.NewEncoder(a.stdout).Encode(r)
		}, nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".kbsync-report-*")
	if err != nil {
		return nil, fmt.Errorf("--report: %w", err)
	}
	return func(r *kbsync.Report) error {
		if r == nil {
			return errors.Join(tmp.Close(), os.Remove(tmp.Name()))
		}
		err := errors.Join(json.NewEncoder(tmp).Encode(r), tmp.Chmod(0o644), tmp.Close())
		if err == nil {
			err = os.Rename(tmp.Name(), name)
		}
		if err != nil {
			_ = os.Remove(tmp.Name())
			return fmt.Errorf("--report: %w", err)
		}
		return nil
	}, nil
}
