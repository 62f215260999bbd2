package main

import (
	"github.com/spf13/cobra"

	"kbsyncd/internal/console"
)

func (a *app) checkCommand() *cobra.Command {
	var connect bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Validate the configuration; with --connect also keys, stores and agents",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			out := console.New(a.stdout, a.env)
			out.Printf("%s is valid: %s, %s, %s.\n", cfg.File, console.Plural(len(cfg.Sources), "source"),
				console.Plural(len(cfg.Targets), "target"), console.Plural(len(cfg.Syncs), "sync"))
			if !connect {
				return nil
			}
			bad := false
			for _, c := range a.program(cfg, a.stderr, true).Connect(cmd.Context()) {
				switch {
				case c.Err != nil:
					bad = true
					out.Printf("✗ %s: %v\n", c.Target, c.Err)
				case c.Store.ID == "":
					out.Printf("✓ %s: the key works; %q does not exist yet and will be created\n", c.Target, c.Store.Name)
				default:
					out.Printf("✓ %s: the key works; %q is %s\n", c.Target, c.Store.Name, c.Store.ID)
				}
				for _, p := range c.Problems {
					bad = true
					out.Printf("✗ %s: %v\n", c.Target, p)
				}
			}
			if bad {
				return exit{exitIncomplete}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&connect, "connect", false, "ask the vendors too; nothing is changed")
	return cmd
}
