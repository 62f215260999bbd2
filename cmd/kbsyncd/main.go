// Command kbsyncd keeps the knowledge bases of AI agents equal to where the documents really live.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"kbsyncd/internal/config"
)

// The exit codes; they are a contract.
const (
	exitOK          = 0
	exitIncomplete  = 1
	exitUsage       = 2
	exitHeld        = 3
	exitChanges     = 4
	exitInterrupted = 130
)

const exitHelp = `Exit status:
  0    in sync
  1    incomplete: documents failed or did not settle, or a vendor or source was out of reach
  2    usage or configuration error; nothing was touched
  3    deletions held by the guard; everything else was done
  4    with --dry-run --exit-code: changes are pending
  130  interrupted; the next pass goes on
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		// A second signal ends the program at once; the next pass puts things right.
		stop()
	}()
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.LookupEnv)
	stop()
	os.Exit(code)
}

// app is what every command gets.
type app struct {
	stdout, stderr io.Writer
	env            func(string) (string, bool)
	configFlag     string
}

// exit ends a command with a code of its own; the message was written already.
type exit struct{ code int }

func (e exit) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// usage is a wrong use of the command line.
type usage struct{ error }

func run(ctx context.Context, args []string, stdout, stderr io.Writer, env func(string) (string, bool)) int {
	a := &app{stdout: stdout, stderr: stderr, env: env}
	root := a.root() //nolint:contextcheck // cobra hands the context to the commands
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[exit](err); ok {
		return e.code
	}
	if p, ok := errors.AsType[*config.Problems](err); ok {
		n := strings.Count(strings.TrimSpace(p.Error()), "\n") + 1
		noun := "problems"
		if n == 1 {
			noun = "problem"
		}
		fmt.Fprintf(stderr, "%s\n%d %s. Nothing was started.\n", strings.TrimSpace(p.Error()), n, noun)
		return exitUsage
	}
	fmt.Fprintf(stderr, "kbsyncd: %v\n", err)
	if _, ok := errors.AsType[failed](err); ok {
		return exitIncomplete
	}
	return exitUsage
}

// failed is an error of the work, not of the wish.
type failed struct{ error }

func (f failed) Unwrap() error { return f.error }

func (a *app) root() *cobra.Command {
	var o onceFlags
	root := &cobra.Command{
		Use:   "kbsyncd",
		Short: "Keep the knowledge bases of AI agents equal to where the documents really live",
		Long: `kbsyncd keeps vendors' knowledge bases (Starleads, Chatbase, Hamsa, Converse) equal to your folders, websites and git
repositories: it finds what changed, sends it within the vendor's limits, waits until it is searchable, hands it to the agents,
and removes what is gone.

  kbsyncd demo --once          see it work, with simulated vendors
  kbsyncd init                 write a first kbsync.yaml
  kbsyncd check --connect      is the configuration right, can the sources be read, does the key work?
  kbsyncd --once --dry-run     what would change?
  kbsyncd --once               make it so`,
		Example: `  kbsyncd --once --report -                  # JSON report on standard output, for CI
  kbsyncd --once --only support --reconcile  # one sync, compared with the vendor's listing`,
		Args:          noArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return a.once(cmd.Context(), o) },
	}
	root.PersistentFlags().StringVar(&a.configFlag, "config", "", "configuration `file` (default $KBSYNC_CONFIG, ./kbsync.yaml, /etc/kbsync/kbsync.yaml)")
	o.register(root)
	root.SetUsageTemplate(root.UsageTemplate() + "\n" + exitHelp)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usage{fmt.Errorf("%w; see kbsyncd --help", err)}
	})
	root.AddCommand(a.checkCommand(), a.statusCommand(), a.explainCommand(), a.approveCommand(), a.searchCommand(), a.reindexCommand(), a.providersCommand(),
		a.initCommand(), a.schemaCommand(), a.demoCommand(), a.simulateCommand(), a.versionCommand())
	return root
}

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage{fmt.Errorf("unknown command %q; see kbsyncd --help", args[0])}
	}
	return nil
}
