//go:build !linux

package main

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"
)

func unprivileged() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(127)
	}
	os.Exit(cmd.ProcessState.ExitCode())
}

func cmdUnread(ts *testscript.TestScript, args []string) {
	need(ts, args, 2)
	exits(ts, exitOK, args[1:])
}

func canMount() bool { return false }

func cmdTmpfs(ts *testscript.TestScript, _ []string) { ts.Fatalf("no tmpfs here") }
