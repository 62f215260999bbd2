package crashtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"kbsyncd/internal/simulator"
)

const (
	// core is what the key is recognised by in every encoding and also when it is cut: no piece of it may show up.
	core      = "Zk7Qv92XwPq4LmT8sJdR"
	secretKey = `sk+live/` + core + `&<"%=`
	wrongCore = "Wr0ngYb6NcF3hGuE5oKa"
	piece     = 8 // bytes of a core that give it away
)

// secrets is a world whose every output is searched for the key.
type secrets struct {
	t      *testing.T
	dir    string
	vendor *vendor
	key    string // what the program is given
	source string // in the configuration
	sets   int
	seen   map[string]int // processes of the program, when they are watched
	public string         // what of the key is no secret, because it is part of a document's name
	silent bool           // the state, which remembers addresses, is not searched
}

func newSecrets(t *testing.T, s store) *secrets {
	x := &secrets{t: t, dir: t.TempDir(), vendor: newVendor(t, s, newGate()), key: secretKey, source: folder{}.source()}
	x.configure(`${SECRET_KEY}`, x.vendor.url)
	return x
}

// TestNoSecretElsewhere is TestNoSecret for the other vendors, without what is the same for all.
func TestNoSecretElsewhere(t *testing.T) {
	if !long {
		t.Skip("make crash runs it")
	}
	const delay = 10 * time.Millisecond
	cb := simulator.NewChatbase(simulator.ChatbaseOptions{Key: secretKey, TrainDelay: delay, Speed: uploadSpeed})
	cb.AddAgent(ourAgent, "Our bot")
	ha := simulator.NewHamsa(simulator.HamsaOptions{Key: secretKey, ProcessDelay: delay})
	ha.AddAgent(ourAgent)
	co := simulator.NewConverse(simulator.ConverseOptions{Key: secretKey, IndexDelay: delay})
	co.AddAgent(ourAgent)
	for _, v := range []struct {
		name   string
		store  store
		routes []string // that repeat the key
	}{
		{"chatbase", chatbase{Chatbase: cb}, []string{"agent_get", "source_list", "source_create", "source_update"}},
		{"hamsa", hamsa{Hamsa: ha, held: held{ha}}, []string{"project_get", "item_list", "item_create", "agent_update"}},
		{"converse", converse{Converse: co, held: held{co}}, []string{"agent_list", "knowledge_list", "knowledge_ingest_text", "agent_assign"}},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := newSecrets(t, v.store)
			tr := newTree(t, rand.New(rand.NewPCG(1, 2)), filepath.Join(s.dir, "docs"))
			s.everything(0)
			s.run(-1, "search", "vendor", "anything")
			s.run(-1, "reindex", "vendor")
			for i, e := range echoes() {
				tr.change()
				tr.remove()
				s.vendor.SetFaults(simulator.Faults{Next: repeated(e, v.routes[i%len(v.routes)], 4)})
				s.run(-1, "--once", "--reconcile", "--allow-deletes", "--no-wait", "--report", "report.json")
			}
			s.vendor.SetFaults(simulator.Faults{Next: repeated(echoes()[0], "", 30)})
			s.everything(-1)
			s.run(-1, "search", "vendor", "anything")
			s.run(-1, "reindex", "vendor")
			s.vendor.SetFaults(simulator.Faults{})
			s.key = "sk+live/" + wrongCore + "&<"
			s.everything(-1)
		})
	}
}

// TestNoSecret holds P8: no key in any output, report, state or other file, whatever the vendor says.
func TestNoSecret(t *testing.T) {
	t.Parallel()
	sim := simulator.NewStarleads(simulator.StarleadsOptions{Key: secretKey, ParseDelay: 10 * time.Millisecond})
	sim.AddAgent(ourAgent)
	s := newSecrets(t, starleads{Starleads: sim})
	tr := newTree(t, rand.New(rand.NewPCG(1, 1)), filepath.Join(s.dir, "docs"))

	t.Run("normal", func(t *testing.T) {
		s.t = t
		s.everything(0)
		tr.edit()
	})
	t.Run("faults", func(t *testing.T) {
		s.t = t
		s.vendor.SetFaults(simulator.Faults{Before: map[string]float64{"*": 0.1}, After: map[string]float64{"*": 0.1}, Cut: map[string]float64{"*": 0.1}})
		tr.edit()
		s.run(-1, "--once", "--reconcile", "--report", "report.json")
		s.vendor.SetFaults(simulator.Faults{})
	})
	t.Run("echo", func(t *testing.T) {
		for _, e := range echoes() {
			for _, route := range []string{"dataset_list", "document_list", "document_upload", "document_parse", "document_delete", "chat_list"} {
				s.t = t
				tr.change()
				tr.remove()
				s.vendor.SetFaults(simulator.Faults{Next: repeated(e, route, 4)})
				s.run(-1, "--once", "--reconcile", "--allow-deletes", "--no-wait", "--report", "report.json")
			}
		}
		s.vendor.SetFaults(simulator.Faults{Next: repeated(echoes()[0], "", 30)})
		s.everything(-1)
		s.vendor.SetFaults(simulator.Faults{})
	})
	t.Run("from a file", func(t *testing.T) {
		s.t = t
		s.write("key.txt", secretKey+"\n")
		s.configure("", s.vendor.url)
		s.everything(0)
	})
	t.Run("in the config", func(t *testing.T) {
		s.t = t
		s.configure(secretKey, s.vendor.url)
		s.everything(0)
	})
	t.Run("wrong key", func(t *testing.T) {
		s.t, s.key = t, "sk+live/"+wrongCore+"&<"
		s.configure(`${SECRET_KEY}`, s.vendor.url)
		s.vendor.SetFaults(simulator.Faults{Next: repeated(simulator.Fault{Status: http.StatusUnauthorized, Body: "unknown key " + s.key}, "", 3)})
		s.everything(-1)
		s.vendor.SetFaults(simulator.Faults{})
	})
	t.Run("key in the wrong place", func(t *testing.T) {
		s.t, s.key = t, secretKey
		for _, c := range misplaced(s.vendor.url) {
			s.write("kbsync.yaml", c)
			s.run(-1, "check", "--connect")
			s.run(-1, "--once", "--report", "report.json")
		}
	})
}

// repeated is a fault that meets n requests.
func repeated(f simulator.Fault, route string, n int) []simulator.Fault {
	f.Route = route
	out := make([]simulator.Fault, n)
	for i := range out {
		out[i] = f
	}
	return out
}

// echoes are answers of a vendor that repeats the key to whoever sent it.
func echoes() []simulator.Fault {
	escaped, _ := json.Marshal("The key " + secretKey + " may not do this.")
	problem := fmt.Sprintf(`{"type":"about:blank","title":%s,"detail":%s,"errors":{%s:[%s]}}`, escaped, escaped, escaped, escaped)
	var out []simulator.Fault
	for _, status := range []int{400, 403, 409, 422} {
		out = append(out, simulator.Fault{Status: status, Body: problem})
	}
	// Text of which a message keeps the beginning only, so that the cut falls into the key.
	for cut := range 3 {
		out = append(out, simulator.Fault{Status: 400, Body: strings.Repeat("x", 180+7*cut) + " " + strings.Repeat(secretKey+" ", 60)})
	}
	h := http.Header{}
	h.Set("Location", "/elsewhere?key="+core)
	h.Set("X-Request-Id", secretKey)
	h.Set("Retry-After", core)
	return append(out,
		simulator.Fault{Status: 200, Body: `{"success":false,"message":` + string(escaped) + `}`},
		simulator.Fault{Status: 200, Body: `{"items": "` + core},
		simulator.Fault{Status: 307, Header: h, Body: "moved"},
		simulator.Fault{Status: 404, Header: h, Body: "<html><body>" + secretKey + "</body></html>"},
		simulator.Fault{Status: 413, Body: secretKey},
	)
}

// misplaced are configurations that hold the key where it does not belong.
func misplaced(url string) []string {
	host := strings.TrimPrefix(url, "http://")
	target := func(lines string) string {
		return "listen: \"\"\nsources:\n  docs: { type: folder, path: ./docs }\ntargets:\n  vendor:\n    type: starleads\n    dataset: Secrets\n" + lines
	}
	return []string{
		target("    api_key: [" + core + "]\n    base_url: " + url + "\n"),
		target("    api_key: { value: " + core + " }\n    base_url: " + url + "\n"),
		target("    api_key: \"" + core + "\\n\"\n    base_url: " + url + "\n"),
		target("    api_key: ${SECRET_KEY}\n    base_url: http://user:" + core + "@" + host + "\n"),
		target("    api_key: ${SECRET_KEY}\n    base_url: " + url + "/?key=" + core + "\n"),
		target("    api_key: " + core + "\n    api_key: " + core + "\n    base_url: " + url + "\n"),
		target("    api_key_file: " + core + "\n    api_key: " + core + "\n    base_url: " + url + "\n"),
	}
}

func (s *secrets) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// configure writes the configuration; without a key it names the file of the key.
func (s *secrets) configure(key, url string) {
	line := "api_key: " + quoted(key)
	if key == "" {
		line = "api_key_file: key.txt"
	}
	text := fmt.Sprintf(`state: ./state/kbsync.db
listen: ""
log: { level: debug, format: %s }
sources:
  docs: { %s }
targets:
  vendor:
    %s
    %s
    rate: 1000
    timeout: 2s
syncs:
  secrets: { from: docs, to: vendor, agents: [%s] }
`, []string{"text", "json"}[s.sets%2], s.source, line, s.vendor.target(url), ourAgent)
	s.sets++
	s.write("kbsync.yaml", text)
}

func quoted(v string) string { return "'" + v + "'" }

// everything runs every command that could say something about a target. A code of -1 is any.
func (s *secrets) everything(code int) {
	s.t.Helper()
	s.run(code, "check", "--connect")
	s.run(-1, "--once", "--dry-run", "--report", "-")
	s.run(code, "--once", "--reconcile", "--allow-deletes", "--report", "report.json")
	s.run(0, "status")
	s.run(0, "status", "--json")
	s.run(-1, "explain", "docs/install.md")
	s.run(-1, "approve", "secrets")
	s.run(0, "providers")
}

// run starts the program and searches everything that it says and leaves behind.
func (s *secrets) run(code int, args ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), passTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(s.t), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{
		"SECRET_KEY=" + s.key, "SECRET_WORD=" + core, "HOME=" + s.dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + s.dir,
		"GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY=" + filepath.Join(s.dir, "summary.md"),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Start()
	if err == nil {
		stop := s.watch(cmd.Process.Pid)
		err = cmd.Wait()
		stop()
	}
	out := said.Bytes()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		s.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got < 0 || code >= 0 && got != code {
		s.t.Errorf("kbsyncd %v: exit code %d, want %d\n%s", args, got, code, lastLines(string(out), 20))
	}
	s.search(fmt.Sprintf("what kbsyncd %v says", args), out)
	err = filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "kbsync.yaml" || d.Name() == "key.txt" || s.silent && d.Name() == "kbsync.db" {
			return err
		}
		b, err := os.ReadFile(name)
		s.search(name+" after kbsyncd "+strings.Join(args, " "), b)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *secrets) search(where string, b []byte) {
	s.t.Helper()
	if s.public != "" {
		b = bytes.ReplaceAll(b, []byte(s.public), nil)
	}
	lower := bytes.ToLower(b)
	for _, c := range []string{core, wrongCore} {
		for i := 0; i+piece <= len(c); i++ {
			at := bytes.Index(lower, []byte(strings.ToLower(c[i:i+piece])))
			if at < 0 {
				continue
			}
			s.t.Fatalf("P8: a piece of the key is in %s:\n%q", where, b[max(0, at-200):min(len(b), at+200)])
		}
		for i := range 3 { // as headers of a login hold it
			packed := base64.RawStdEncoding.EncodeToString([]byte(c[i:]))
			if at := bytes.Index(b, []byte(packed[:len(packed)-4])); at >= 0 {
				s.t.Fatalf("P8: the key in base64 is in %s:\n%q", where, b[max(0, at-200):min(len(b), at+200)])
			}
		}
	}
}

// watch searches the command lines and the environments of the program and of all that it starts, until the function that it returns is called. They
// are one session. Git is told a token by its environment, which its user alone can read; nobody else needs it, but the program when that is the
// way it is configured.
func (s *secrets) watch(session int) (stop func()) {
	if s.seen == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-quit:
				return
			case <-time.After(time.Millisecond):
				s.peer(session)
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

// peer looks at all processes of a session once. What it cannot read has ended.
func (s *secrets) peer(session int) {
	found, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range found {
		stat, _ := os.ReadFile(name)
		open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		if end < 0 {
			continue
		}
		if fields := strings.Fields(string(stat[end+1:])); len(fields) < 4 || fields[3] != strconv.Itoa(session) {
			continue
		}
		who := string(stat[open+1 : end])
		s.seen[who]++
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
		s.found("the command line of "+who, line)
		if who != "git" && who != "git-remote-http" && who != "sh" && who != "kbsyncd" {
			environment, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "environ"))
			s.found("the environment of "+who, environment)
		}
	}
}

// found is search for what runs beside the test.
func (s *secrets) found(where string, b []byte) {
	if bytes.Contains(b, []byte(core)) {
		s.t.Errorf("P8: the key is in %s", where)
	}
}
