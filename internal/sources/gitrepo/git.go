package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"kbsyncd/internal/fault"
)

// The oldest git that has everything used here: cat-file --batch-command came with 2.36.
const (
	needMajor = 2
	needMinor = 36
)

// maxOutput bounds what is kept of the output of a command, and maxStderr of what it says on stderr.
const (
	maxOutput = 16 << 20
	maxStderr = 64 << 10
)

// inherited are the variables that git is given of the environment: where programs and certificates are, how the network is
// reached, and the user's agent for ssh. Everything else, above all GIT_DIR, GIT_TRACE and their kin, is left out.
var inherited = []string{
	"PATH", "TMPDIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK",
	"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
}

// setting is one line of git's configuration.
type setting struct{ key, value string }

// hardening is what every command is told. Objects are not checked for odd names (fsckObjects), because nothing is ever checked out
// and a document must not be lost because of its neighbour; what is read is held against its hash.
var hardening = []setting{
	{"core.hooksPath", "/dev/null"},
	{"core.askPass", ""},
	{"core.fsmonitor", "false"},
	{"core.bigFileThreshold", "16m"}, // larger blobs are streamed to disk, not held in memory
	{"credential.helper", ""},
	{"gc.auto", "0"},
	{"maintenance.auto", "false"},
	{"fetch.negotiationAlgorithm", "default"},
	{"fetch.fsckObjects", "false"},
	{"fetch.unpackLimit", "1"}, // everything comes as packs, whose size is watched and counted
	{"protocol.version", "2"},
	{"protocol.ext.allow", "never"},
	{"submodule.recurse", "false"},
	{"http.followRedirects", "initial"},
	{"http.lowSpeedLimit", "100"},
	{"http.lowSpeedTime", "60"},
	{"transfer.advertiseSID", "false"},
}

// command is one run of git.
type command struct {
	args     []string
	dir      string    // the repository; "" for none
	settings []setting // after the hardening
	env      []string  // secrets and the like, on top of the rest
	stdin    io.Reader
	limit    time.Duration
	hold     *os.File // the lock, which lasts as long as the command does, whatever becomes of us
	watch    func() error
	stall    time.Duration // how long it may go on without progress; 0 for as long as it likes
	grown    func() int64  // what it has got so far
	discard  bool          // what it writes is not wanted
}

// failure is a command that ended badly.
type failure struct {
	stderr string
	err    error
}

func (f *failure) Error() string { return lastLine(f.stderr) }
func (f *failure) Unwrap() error { return f.err }

// git runs the git command.
type git struct {
	cache    *cache // has an empty directory that is the home of commands and where they run
	protocol string // the only ones that may be spoken
}

// environment is all that a command sees.
func (g *git) environment(c *command) []string {
	env := []string{
		"HOME=" + g.cache.home, "XDG_CONFIG_HOME=" + g.cache.home, "LC_ALL=C", "LANGUAGE=", "TERM=dumb",
		"GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1",
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0", "GIT_ADVICE=0",
		"GIT_ALLOW_PROTOCOL=" + g.protocol, "GIT_CEILING_DIRECTORIES=" + g.cache.home,
	}
	for _, name := range inherited {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	if c.dir != "" {
		env = append(env, "GIT_DIR="+c.dir)
	}
	n := 0
	for _, list := range [][]setting{hardening, c.settings} {
		for _, s := range list {
			env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, s.key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, s.value))
			n++
		}
	}
	env = append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(n))
	return append(env, c.env...)
}

// prepare makes a process of its own group, so that the helpers that git starts die with it.
func (g *git) prepare(ctx context.Context, name string, c *command) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, c.args...)
	cmd.Dir = g.cache.home
	cmd.Env = g.environment(c)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if c.hold != nil && !leashed {
		cmd.ExtraFiles = []*os.File{c.hold}
	}
	return cmd
}

var (
	// errTimeout ends a command that takes too long.
	errTimeout = errors.New("timeout")
	// errOutput ends a command that writes more than is worth having.
	errOutput = errors.New("output is too long")
)

// run runs git to its end and gives what it wrote.
func (g *git) run(ctx context.Context, c command) ([]byte, error) { return g.runAs(ctx, "git", c) }

func (g *git) runAs(ctx context.Context, name string, c command) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if c.limit > 0 {
		t := time.AfterFunc(c.limit, func() { stop(errTimeout) })
		defer t.Stop()
	}
	cmd := g.prepare(inner, name, &c)
	stdout, stderr := &bounded{most: maxOutput, full: func() { stop(errOutput) }}, &bounded{most: maxStderr}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.stdin, stdout, stderr
	if c.discard {
		cmd.Stdout = nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	leash(cmd.SysProcAttr)
	err := cmd.Start()
	if err == nil {
		watch := c.watch
		if c.stall > 0 {
			p := &progress{limit: c.stall, group: cmd.Process.Pid, most: memoryLimit, every: memoryEvery, value: func() int64 { return stdout.taken.Load() + stderr.taken.Load() + c.grown() }}
			watch = both(watch, p.check)
		}
		done := watching(watch, stop)
		err = cmd.Wait()
		done()
	}
	switch cause := context.Cause(inner); {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && cause != nil:
		return nil, cause
	case err != nil:
		return nil, &failure{stderr: stderr.kept.String(), err: err}
	case cause != nil:
		return nil, cause
	}
	return stdout.kept.Bytes(), nil
}

// bounded keeps the beginning of what is written. The buffer is not embedded: its ReadFrom would then take in everything, past Write.
type bounded struct {
	kept  bytes.Buffer
	most  int
	taken atomic.Int64
	full  func() // called when there is more than is kept; may be nil
}

// Write implements io.Writer. It always takes everything, so that the writer goes on.
func (b *bounded) Write(p []byte) (int, error) {
	b.kept.Write(p[:min(len(p), b.most-b.kept.Len())])
	if b.taken.Add(int64(len(p))) > int64(b.most) && b.full != nil {
		b.full()
	}
	return len(p), nil
}

var versionLine = regexp.MustCompile(`^git version (\d+)\.(\d+)`)

// check makes sure that there is a git that is new enough.
func (g *git) check(ctx context.Context) error {
	const hint = "install git 2.36 or newer (for example: apt install git)"
	out, err := g.run(ctx, command{args: []string{"version"}, limit: time.Minute})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return fault.New(fault.ErrIncomplete, "the git command is not installed, or not on the PATH").WithHint(hint)
	case err != nil:
		return fault.New(fault.ErrIncomplete, "the git command does not run: %s", plainRun(err)).WithHint(hint)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return fault.New(fault.ErrIncomplete, "the git command does not tell its version").WithHint(hint)
	}
	major, _ := strconv.Atoi(string(m[1]))
	minor, _ := strconv.Atoi(string(m[2]))
	if major < needMajor || major == needMajor && minor < needMinor {
		return fault.New(fault.ErrIncomplete, "git %d.%d is too old", major, minor).WithHint(hint)
	}
	return nil
}

// plainRun says why a command did not run, without the path that os puts into it.
func plainRun(err error) string {
	if f, ok := errors.AsType[*failure](err); ok && strings.TrimSpace(f.stderr) == "" {
		err = f.err
	}
	if p, ok := errors.AsType[*os.PathError](err); ok {
		err = p.Err
	}
	return err.Error()
}
