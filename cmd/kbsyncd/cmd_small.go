package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"kbsyncd/internal/config"
	targetkinds "kbsyncd/internal/targets/all"
)

// stamp is set by the linker: -X main.stamp=1.2.3.
var stamp string

// version is the released version, else what the build knows of itself.
func version() string {
	if stamp != "" {
		return stamp
	}
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" && b.Main.Version != "(devel)" {
		return b.Main.Version
	}
	return "dev"
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			goVersion := ""
			if b, ok := debug.ReadBuildInfo(); ok {
				goVersion = " (" + b.GoVersion + ")"
			}
			fmt.Fprintf(a.stdout, "kbsyncd %s%s\n", version(), goVersion)
			return nil
		},
	}
}

//go:embed init.yaml
var firstConfig []byte

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Write a first kbsync.yaml",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			name := a.configFlag
			if name == "" {
				name = "kbsync.yaml"
			}
			f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return usage{fmt.Errorf("%s is there already and was left alone; name another file with --config", name)}
			}
			if err != nil {
				return usage{err}
			}
			_, err = f.Write(firstConfig)
			if err := errors.Join(err, f.Close()); err != nil {
				return failed{err}
			}
			fmt.Fprintf(a.stdout, `%s written. Next:
  1. edit it: the folder, website or repository (docs/sources.md has recipes), the dataset, the agents
  2. export STARLEADS_API_KEY=…
  3. kbsyncd check --connect
  4. kbsyncd --once --dry-run
`, name)
			return nil
		},
	}
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration, for editors",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := config.Schema(kinds())
			if err != nil {
				return failed{err}
			}
			_, err = fmt.Fprintf(a.stdout, "%s\n", s)
			return err
		},
	}
}

func (a *app) providersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "providers",
		Short: "What each vendor can do",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			for _, k := range targetkinds.Kinds() {
				fmt.Fprintf(w, "%s\t%s\n", k.Name, k.Summary)
				for _, f := range k.Facts {
					fmt.Fprintf(w, "  %s\t%s\n", f.Name, f.Value)
				}
			}
			return w.Flush()
		},
	}
}
