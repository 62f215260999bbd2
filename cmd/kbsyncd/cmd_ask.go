package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/spf13/cobra"

	"kbsyncd/internal/config"
	"kbsyncd/internal/console"
	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/suggest"
)

// checkTarget refuses a name that the configuration does not have.
func checkTarget(cfg *config.Config, name string) error {
	if _, ok := cfg.Targets[name]; ok {
		return nil
	}
	known := slices.Sorted(maps.Keys(cfg.Targets))
	return usage{fmt.Errorf("no target is called %q; %s", kb.Printable(name), suggest.Hint(name, known, "the targets are "+strings.Join(known, ", ")))}
}

func (a *app) searchCommand() *cobra.Command {
	var top int
	cmd := &cobra.Command{
		Use:     "search TARGET QUESTION",
		Short:   "Ask a target's knowledge base, as its agents would",
		Example: "  kbsyncd search calls \"how long is the warranty?\"",
		Args:    exactly(2, "name the target and the question: kbsyncd search TARGET \"QUESTION\""),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			if err := checkTarget(cfg, args[0]); err != nil {
				return err
			}
			hits, err := a.program(cfg, a.stderr, true).Search(cmd.Context(), args[0], args[1], top)
			if err != nil {
				return asked(args[0], err)
			}
			out := console.New(a.stdout, a.env)
			if len(hits) == 0 {
				out.Printf("Nothing was found.\n")
			}
			for i, h := range hits {
				out.Printf("%d. %s\n", i+1, kb.Printable(firstText(string(h.Document), h.Name, string(h.ID), "(the vendor does not say where)")))
				for line := range strings.Lines(strings.TrimSpace(h.Text)) {
					out.Printf("   %s\n", kb.Printable(strings.TrimRight(line, "\r\n")))
				}
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&top, "top", 5, "how many passages")
	return cmd
}

func firstText(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

// asked tells a question that makes no sense at this vendor from one that failed.
func asked(target string, err error) error {
	err = fmt.Errorf("%s: %w", target, err)
	if errors.Is(err, fault.ErrUnsupported) || errors.Is(err, fault.ErrSetup) {
		return usage{err}
	}
	return failed{err}
}

func (a *app) reindexCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "reindex TARGET [GLOB…]",
		Short:   "Have the vendor index anew what it holds",
		Long:    "Asks the vendor to parse or index documents anew: those whose names (source/path) match a glob, or all. The next pass waits for them.",
		Example: "  kbsyncd reindex support \"handbook/setup/**\"",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage{errors.New("name the target: kbsyncd reindex TARGET [GLOB…]")}
			}
			for _, g := range args[1:] {
				if !doublestar.ValidatePattern(g) {
					return usage{fmt.Errorf("%q is not a valid glob; write a pattern such as \"handbook/**/*.md\"", g)}
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			if err := checkTarget(cfg, args[0]); err != nil {
				return err
			}
			n, bad, err := a.program(cfg, a.stderr, true).Reindex(cmd.Context(), args[0], args[1:])
			if err != nil {
				return asked(args[0], err)
			}
			for _, e := range bad {
				fmt.Fprintf(a.stderr, "kbsyncd: %s: %v\n", args[0], e)
			}
			if n == 0 {
				fmt.Fprintf(a.stdout, "%s: no recorded document matches; run kbsyncd --once first when nothing was sent yet.\n", args[0])
			} else {
				fmt.Fprintf(a.stdout, "%s: %s to be indexed anew; kbsyncd --once waits for them.\n", args[0], console.Plural(n, "document"))
			}
			if len(bad) > 0 {
				return exit{exitIncomplete}
			}
			return nil
		},
	}
}
