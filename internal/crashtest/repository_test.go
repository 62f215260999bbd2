package crashtest

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	gitToken = "glpat-crash/7Tq+w=Z&x%41" // of characters that addresses escape
	branch   = "refs/heads/main"
)

// repository offers a tree as the branch of a git repository, over HTTP, to those who know the token.
type repository struct {
	w     *world
	d     dice
	dir   string // bare
	url   string
	token string
	ref   string // in the configuration; "" for the default branch
	head  string // the commit that stands for the tree
	n     int    // commits so far

	mu    sync.Mutex // guards everything below
	mode  gitMode
	cut   int           // bytes after which answers break off
	delay time.Duration // before every answer
	posts int           // requests of git itself, after it has found the service
}

// gitMode is what is wrong with a server.
type gitMode int

const (
	gitFine   gitMode = iota
	gitDenies         // a token counts no more
	gitFails          // 500
	gitHangs          // the connection is closed without an answer
	gitCuts           // answers break off
)

func newRepository(w *world, d dice) origin {
	if _, err := exec.LookPath("git"); err != nil && os.Getenv("KBSYNC_NO_SKIP") == "" {
		w.t.Skip("git is not installed")
	}
	r := &repository{w: w, d: d, dir: filepath.Join(w.dir, "repos", "docs.git"), token: gitToken}
	w.must(os.MkdirAll(r.dir, 0o755))
	r.git("init", "--quiet", "--bare", "--initial-branch=main")
	r.git("config", "uploadpack.allowFilter", fmt.Sprint(d.chance(70)))
	if d.chance(50) {
		r.ref = "main"
	}
	srv := httptest.NewServer(r)
	r.url = srv.URL + "/docs.git"
	w.t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return r
}

// git runs a command in the repository.
func (r *repository) git(args ...string) string {
	cmd := exec.CommandContext(r.w.t.Context(), "git", args...)
	cmd.Env = append(serverGit, "GIT_DIR="+r.dir, "PATH="+os.Getenv("PATH"), "HOME="+r.w.dir)
	cmd.Dir = r.w.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.w.fail("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// serverGit is the environment of git where the repository is.
var serverGit = []string{
	"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=A Writer", "GIT_AUTHOR_EMAIL=writer@example.com",
	"GIT_COMMITTER_NAME=A Writer", "GIT_COMMITTER_EMAIL=writer@example.com",
}

func (r *repository) source() string {
	s := "type: git, repo: " + quoted(r.url) + ", username: crash, token: '${CRASH_GIT}'"
	if r.ref != "" {
		s += ", ref: " + r.ref
	}
	return s
}

func (r *repository) environment() []string { return []string{"CRASH_GIT=" + r.token} }
func (r *repository) secrets() []string     { return []string{r.token} }

// kinds: a trap waits for a kind as often as it is listed.
func (*repository) kinds() []kind {
	const fetch = `^POST .*/git-upload-pack$`
	return []kind{{"git find", `/info/refs$`}, {"git fetch", fetch}, {"git fetch", fetch}}
}

// publish commits the tree: on top of what was there, in the place of it, or as the beginning of another history.
func (r *repository) publish() {
	_ = os.Remove(filepath.Join(r.dir, "index")) // it would trust the times of files, and some edits leave them alone
	r.git("--work-tree="+r.w.tree.root, "add", "--all")
	r.n++
	args := []string{"commit-tree", "-m", fmt.Sprintf("version %d", r.n), r.git("write-tree")}
	parent, forced := r.head, false
	switch n := r.d.IntN(10); {
	case r.head == "" || n == 0:
		parent, forced = "", true
	case n < 3:
		parent, forced = r.git("log", "-1", "--format=%P", r.head), true
	}
	if parent != "" {
		args = append(args, "-p", parent)
	}
	r.head = r.git(args...)
	r.git("update-ref", branch, r.head)
	if forced && r.d.chance(30) { // the server forgets what it had
		r.git("prune", "--expire=now")
	}
}

func (r *repository) upset() upset {
	n := r.d.IntN(16)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch n {
	case 0:
		r.git("update-ref", "-d", branch)
		return upset{what: "the branch is deleted", fails: true}
	case 1:
		r.mode = gitDenies
		return upset{what: "a token counts no more", fails: true}
	case 2:
		r.mode = gitFails
		return upset{what: "the server fails", fails: true}
	case 3:
		r.mode = gitHangs
		return upset{what: "the server hangs up", fails: true}
	case 4, 5:
		r.mode, r.cut = gitCuts, r.d.IntN(6000)
		return upset{what: "answers of the server break off", where: fmt.Sprintf("after %d bytes", r.cut)}
	case 6:
		empty := r.git("commit-tree", "-m", "nothing", r.git("hash-object", "-t", "tree", "-w", os.DevNull))
		r.git("update-ref", branch, empty)
		return upset{what: "the branch is empty", held: true}
	case 7:
		r.delay = time.Duration(r.d.IntN(300)) * time.Millisecond
		return upset{what: "the server is slow"}
	}
	return upset{}
}

func (r *repository) calm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mode, r.delay = gitFine, 0
	r.git("update-ref", branch, r.head)
}

func (r *repository) settle() { r.calm() }

// excess holds that an unchanged branch costs one look at it, however many targets there are.
func (r *repository) excess() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.posts
	r.posts = 0
	if n > 1 {
		return fmt.Sprintf("asked the repository %d times", n)
	}
	return ""
}

// ServeHTTP implements http.Handler.
func (r *repository) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	mode, cut, delay := r.mode, r.cut, r.delay
	if req.Method == http.MethodPost {
		r.posts++
	}
	r.mu.Unlock()
	r.w.gate.through(kindOf(r.kinds(), req), func() {
		await(req, delay)
		_, password, _ := req.BasicAuth()
		switch {
		case mode == gitHangs:
			panic(http.ErrAbortHandler)
		case mode == gitFails:
			http.Error(rw, "out of order", http.StatusInternalServerError)
		case mode == gitDenies || password != r.token:
			rw.Header().Set("WWW-Authenticate", `Basic realm="repositories"`)
			http.Error(rw, "who are you?", http.StatusUnauthorized)
		case mode == gitCuts:
			b := &breaking{ResponseWriter: rw, left: cut}
			gitBackend(filepath.Dir(r.dir)).ServeHTTP(b, req)
			if b.left < 0 {
				panic(http.ErrAbortHandler)
			}
		default:
			gitBackend(filepath.Dir(r.dir)).ServeHTTP(rw, req)
		}
	})
}

// await makes an answer slow.
func await(req *http.Request, delay time.Duration) {
	select {
	case <-time.After(delay):
	case <-req.Context().Done():
	}
}

// gitBackend serves the repositories in a directory.
func gitBackend(dir string) http.Handler {
	git, _ := exec.LookPath("git") // without it there are no such worlds
	return &cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Env: append(serverGit, "GIT_PROJECT_ROOT="+dir, "GIT_HTTP_EXPORT_ALL=1"),
		Stderr: io.Discard, Logger: log.New(io.Discard, "", 0),
	}
}

// breaking is an answer that breaks off.
type breaking struct {
	http.ResponseWriter

	left int // bytes; below 0 it has
}

// Write implements io.Writer.
func (b *breaking) Write(p []byte) (int, error) {
	if b.left < len(p) {
		_, _ = b.ResponseWriter.Write(p[:max(0, b.left)])
		b.left = -1
		return 0, io.ErrShortWrite
	}
	b.left -= len(p)
	return b.ResponseWriter.Write(p)
}
