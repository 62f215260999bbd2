package gitrepo

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

func TestMain(m *testing.M) {
	if os.Getenv("KBSYNCD_GIT_SCAN") != "" {
		os.Exit(scanAlone())
	}
	goleak.VerifyTestMain(m)
}

// need skips a test on machines that lack a program, unless KBSYNC_NO_SKIP says that nothing may be skipped.
func need(t testing.TB, program string) string {
	t.Helper()
	at, err := exec.LookPath(program)
	if err == nil {
		return at
	}
	if os.Getenv("KBSYNC_NO_SKIP") != "" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("%s is not installed", program)
	return ""
}

// thorough skips a test that takes long, but where the tests of real servers run.
func thorough(t testing.TB) {
	t.Helper()
	if os.Getenv("KBSYNC_NO_SKIP") == "" {
		t.Skip("it takes long; make components runs it")
	}
}

// origin is a bare repository that stands for the one on the server.
type origin struct {
	t      testing.TB
	dir    string
	branch string

	mu   sync.Mutex
	cmd  *exec.Cmd
	in   *bufio.Writer
	pipe io.Closer
	out  *bufio.Reader
	has  map[string][]byte
	mark int
}

func newOrigin(t testing.TB, args ...string) *origin {
	t.Helper()
	need(t, "git")
	o := &origin{t: t, dir: filepath.Join(t.TempDir(), "origin.git"), branch: "main", has: map[string][]byte{}}
	o.git(append([]string{"init", "-q", "--bare", "-b", "main"}, append(args, o.dir)...)...)
	for _, s := range [][2]string{{"uploadpack.allowFilter", "true"}, {"uploadpack.allowAnySHA1InWant", "true"}, {"gc.auto", "0"}, {"core.compression", "1"}, {"http.receivepack", "false"}} {
		o.git("config", s[0], s[1])
	}
	t.Cleanup(o.stop)
	return o
}

// git runs git in the repository, with nobody's configuration.
func (o *origin) git(args ...string) string { o.t.Helper(); return o.gitIn(nil, args...) }

func (o *origin) gitIn(stdin []byte, args ...string) string {
	o.t.Helper()
	cmd := exec.CommandContext(context.Background(), "git", args...)
	cmd.Env = cleanEnv("GIT_DIR=" + o.dir)
	if args[0] == "init" {
		cmd.Env = cleanEnv()
	}
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		o.t.Fatalf("git %q: %v\n%s", args, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func cleanEnv(more ...string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=c", "GIT_COMMITTER_EMAIL=c@d",
		"GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000100 +0000",
	}
	return append(env, more...)
}

// importer is the fast-import that the changes go to, so that a thousand of them do not need a thousand processes.
func (o *origin) importer() *bufio.Writer {
	if o.cmd != nil {
		return o.in
	}
	cmd := exec.CommandContext(context.Background(), "git", "fast-import", "--quiet", "--force", "--date-format=raw")
	cmd.Env = cleanEnv("GIT_DIR=" + o.dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.cmd, o.in, o.pipe, o.out = cmd, bufio.NewWriter(in), in, bufio.NewReader(out)
	return o.in
}

// change makes a commit on the branch.
func (o *origin) change(lines string) {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	fresh := o.cmd == nil
	w := o.importer()
	o.mark++
	fmt.Fprintf(w, "commit refs/heads/%s\nauthor a <a@b> %d +0100\ncommitter c <c@d> %d +0000\ndata 1\nx\n", o.branch, 1700000000+o.mark, 1700000500+o.mark)
	if fresh && o.exists() {
		fmt.Fprintf(w, "from refs/heads/%s^0\n", o.branch)
	}
	io.WriteString(w, lines+"\n")
}

func (o *origin) exists() bool {
	cmd := exec.CommandContext(context.Background(), "git", "rev-parse", "--verify", "-q", "refs/heads/"+o.branch)
	cmd.Env = cleanEnv("GIT_DIR=" + o.dir)
	return cmd.Run() == nil
}

// flush makes the changes visible.
func (o *origin) flush() {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cmd == nil {
		return
	}
	fmt.Fprintf(o.in, "checkpoint\nprogress done %d\n", o.mark)
	if err := o.in.Flush(); err != nil {
		o.t.Fatal(err)
	}
	want := fmt.Sprintf("progress done %d\n", o.mark)
	for {
		line, err := o.out.ReadString('\n')
		if err != nil {
			o.t.Fatalf("fast-import: %v", err)
		}
		if line == want {
			return
		}
	}
}

// stop ends fast-import, so that other commands can change the branches.
func (o *origin) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cmd == nil {
		return
	}
	_ = o.in.Flush()
	_ = o.pipe.Close()
	_, _ = io.Copy(io.Discard, o.out)
	if err := o.cmd.Wait(); err != nil {
		o.t.Errorf("fast-import: %v", err)
	}
	o.cmd = nil
}

func quotePath(p string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(p) {
		switch c := p[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c >= 0x7f:
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (o *origin) put(path string, content []byte) { o.putMode("100644", path, content) }

func (o *origin) putMode(mode, path string, content []byte) {
	o.t.Helper()
	o.change(fmt.Sprintf("M %s inline %s\ndata %d\n%s\n", mode, quotePath(path), len(content), content))
	o.mu.Lock()
	_, had := o.has[path]
	o.has[path] = content
	o.mu.Unlock()
	if had {
		o.flush()
	}
}

func (o *origin) remove(path string) {
	o.change("D " + quotePath(path) + "\n")
	o.mu.Lock()
	delete(o.has, path)
	o.mu.Unlock()
	o.flush()
}

func (o *origin) rename(from, to string) {
	o.change("R " + quotePath(from) + " " + quotePath(to) + "\n")
	o.flush()
}

func (o *origin) link(path, to string) { o.putMode("120000", path, []byte(to)) }

// flushing is a source whose origin is up to date before each look.
type flushing struct {
	*Repo
	o *origin
}

func (f flushing) Scan(ctx context.Context, known sources.Known, sink sources.Sink) error {
	f.o.flush()
	return f.Repo.Scan(ctx, known, sink)
}

// open makes a source of the origin.
func (o *origin) open(change func(*Config, *sources.Options)) *Repo {
	o.t.Helper()
	c := NewConfig()
	c.Repo = o.dir
	opts := sources.Options{Name: "docs", CacheDir: filepath.Join(o.t.TempDir(), "cache dir")}
	if change != nil {
		change(c, &opts)
	}
	if bad := c.Validate(); len(bad) > 0 {
		o.t.Fatalf("the configuration is wrong: %v", bad)
	}
	s, err := c.Open(opts)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = s.Close() })
	return s.(*Repo)
}

func (o *origin) scan(r *Repo) *sourcetest.Listing {
	o.t.Helper()
	o.flush()
	return sourcetest.Scan(o.t, r)
}

// away makes the origin unreachable until the function that it returns is called.
func (o *origin) away() (back func()) {
	move := func(from, to string) {
		o.t.Helper()
		if err := os.Rename(from, to); err != nil {
			o.t.Fatal(err)
		}
	}
	move(o.dir, o.dir+".away")
	return func() { move(o.dir+".away", o.dir) }
}
