package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func cmdExits(ts *testscript.TestScript, args []string) {
	need(ts, args, 2)
	exits(ts, number(ts, args[0]), args[1:])
}

func exits(ts *testscript.TestScript, want int, args []string) {
	err := ts.Exec(args[0], args[1:]...)
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s: exit code %d, not %d", strings.Join(args, " "), got, want)
	}
	if strings.Contains(ts.ReadFile("stdout")+ts.ReadFile("stderr"), vendorKey) {
		ts.Fatalf("the key was printed")
	}
}

func cmdInterrupt(ts *testscript.TestScript, args []string) {
	need(ts, args, 2)
	cmd := command(ts, args[1:])
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	ts.Check(cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	if err := awaitRequest(ts, args[0], done); err != nil {
		ts.Fatalf("%v\n%s", err, out.String())
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	<-done
	ts.Logf("%s", out.String())
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		ts.Fatalf("exit code %d, not %d", code, exitInterrupted)
	}
}

// command is a program that runs as those of the script do.
func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	path, err := exec.LookPath(args[0])
	ts.Check(err)
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "VENDOR_URL", "OTHER_URL", "STARLEADS_API_KEY"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	return cmd
}

// awaitRequest waits until the vendor was asked something, or the program ended.
func awaitRequest(ts *testscript.TestScript, pattern string, done <-chan error) error {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, r := range worldOf(ts).vendor.Requests() {
			if re.MatchString(r.Method + " " + r.Path) {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-done:
			return errors.New("the program ended before the request")
		case <-time.After(10 * time.Second):
			return errors.New("the request did not come")
		}
	}
}

func cmdGrowing(ts *testscript.TestScript, args []string) {
	need(ts, args, 3)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-quit:
				return
			default:
				_, _ = f.WriteString("+")
			}
		}
	}()
	defer func() {
		close(quit)
		<-gone
		ts.Check(f.Close())
	}()
	exits(ts, number(ts, args[1]), args[2:])
}
