package main

import (
	"maps"
	"slices"

	"kbsyncd/internal/console"
	"kbsyncd/internal/daemon"
	"kbsyncd/internal/kb"
)

// printRoutes says how the routes of a target compare with the document of its vendor. Nothing of it makes a check fail: what
// is wrong with a route shows when it is used.
func printRoutes(out *console.Console, target string, c *daemon.RouteCheck) {
	if c == nil {
		return
	}
	where, r := kb.Printable(c.Contract.Where), c.Report
	switch {
	case c.Skipped:
		out.Printf("! %s: the routes are not compared, because base_url is this machine; set openapi: to compare them\n", target)
		return
	case c.Err != nil:
		out.Printf("! %s: %s; the known routes stand\n", target, kb.Printable(c.Err.Error()))
		return
	case len(r.Differences) == 0:
		out.Printf("✓ %s: %s with %s\n", target, agree(r.Agree), where)
		return
	}
	for _, d := range r.Differences {
		out.Printf("! %s: %s\n", target, kb.Printable(d.Text))
	}
	out.Printf("! %s: %d of %s agree with %s\n", target, r.Agree, console.Plural(r.Of, "route"), where)
	block := c.Block()
	switch {
	case len(r.Routes()) == 0:
		out.Printf("  No other route can be taken from the document.\n")
		return
	case c.Contract.Auto:
		out.Printf("  These routes are taken from it, because of routes: auto:\n")
	default:
		out.Printf("  To take the routes of the document, write this, or routes: auto:\n")
		out.Printf("  targets:\n    %s:\n", target)
	}
	out.Printf("      routes:\n")
	for _, name := range slices.Sorted(maps.Keys(block)) {
		out.Printf("        %s: %q\n", name, block[name])
	}
}

func agree(n int) string {
	if n == 1 {
		return "1 route agrees"
	}
	return console.Plural(n, "route") + " agree"
}
