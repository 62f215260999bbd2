package main

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"kbsyncd/internal/config"
	"kbsyncd/internal/console"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources/folder"
)

// notes are things about a valid configuration that may not be meant.
func notes(cfg *config.Config) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(cfg.Sources)) {
		c, ok := cfg.Sources[name].Config.(*folder.Config)
		if !ok {
			continue
		}
		if _, err := os.Stat(c.Path); err != nil {
			out = append(out, fmt.Sprintf("source %s: %s is not there now; a pass would fail", name, c.Path))
		}
	}
	if len(cfg.Notify) > 0 {
		out = append(out, "notify has no effect yet: nobody is told about passes")
	}
	return out
}

func (a *app) checkCommand() *cobra.Command {
	var connect bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Validate the configuration; with --connect also sources, keys, stores, agents and routes",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			out := console.New(a.stdout, a.env)
			out.Printf("%s is valid: %s, %s, %s.\n", cfg.File, console.Plural(len(cfg.Sources), "source"),
				console.Plural(len(cfg.Targets), "target"), console.Plural(len(cfg.Syncs), "sync"))
			for _, note := range notes(cfg) {
				out.Printf("! %s\n", note)
			}
			if !connect {
				return nil
			}
			bad := false
			p := a.program(cfg, a.stderr, true)
			for _, c := range p.Reach(cmd.Context()) {
				if c.Err != nil {
					bad = true
					out.Printf("✗ %s: %v\n", c.Source, c.Err)
				} else {
					out.Printf("✓ %s: can be read\n", c.Source)
				}
			}
			for _, c := range p.Connect(cmd.Context()) {
				name := c.Target
				if c.Agent != "" {
					name += " (" + kb.Printable(c.Agent) + ")"
				}
				switch {
				case c.Err != nil:
					bad = true
					out.Printf("✗ %s: %v\n", name, c.Err)
				case c.Store.ID == "":
					out.Printf("✓ %s: the key works; %q does not exist yet and will be created\n", name, c.Store.Name)
				default:
					out.Printf("✓ %s: the key works; %q is %s\n", name, c.Store.Name, c.Store.ID)
				}
				for _, p := range c.Problems {
					bad = true
					out.Printf("✗ %s: %v\n", name, p)
				}
				printRoutes(out, c.Target, c.Routes)
			}
			if bad {
				return exit{exitIncomplete}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&connect, "connect", false, "ask the sources and the vendors too; nothing is changed")
	return cmd
}
