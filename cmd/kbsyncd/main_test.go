package main

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"kbsyncd/internal/simulator"
)

// The scripts wait for the vendor most of the time, so more of them run at once than there are processors.
const parallelScripts = "8"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", parallelScripts); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"kbsyncd": main, "unprivileged": unprivileged})
}

// TestScripts runs the command as its users do. Each script in testdata/script has a simulated Starleads of its own at
// $VENDOR_URL with the agents agt_1 and agt_2, and a second server at $OTHER_URL that must never see a key. The other vendors, with
// the same agents and the same key, are at $CHATBASE_URL, $HAMSA_URL and $CONVERSE_URL. The website in www is at $SITE_URL, and the
// git repositories in repos are at $REPOS_URL, for those who know the key. A script without a kbsync.yaml gets standardConfig. The commands are described where scriptCommands lists them.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		Setup:               setup,
		Cmds:                scriptCommands,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Condition: func(cond string) (bool, error) {
			if cond == "mount" {
				return canMount(), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

const vendorKey = "key-of-the-tests"

const standardConfig = `sources:
  handbook: { type: folder, path: docs }
targets:
  support:
    type: starleads
    api_key: ${STARLEADS_API_KEY}
    base_url: ${VENDOR_URL}
    rate: 0
    dataset: Support handbook
    chat: Support assistant
syncs:
  support: { from: handbook, to: support, agents: [agt_1] }
`

// world is what surrounds one script.
type world struct {
	vendor    *simulator.Starleads
	site      *site
	others    map[string]otherVendor
	strangers map[string]map[string]storedDocument // at the others, as a human put them there
	foreign   []simulator.Document                 // as a human put them there
	chats     map[string]string                    // names by id, of chats made by a human
	saved     map[string]string                    // files as `remember` saw them
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

func setup(env *testscript.Env) error {
	w := &world{
		vendor: simulator.NewStarleads(simulator.StarleadsOptions{Key: vendorKey, ParseDelay: 20 * time.Millisecond}),
		chats:  map[string]string{},
		saved:  map[string]string{},
	}
	w.vendor.AddAgent("agt_1")
	w.vendor.AddAgent("agt_2")
	w.serveOthers(env)
	w.serveSources(env)
	api := httptest.NewServer(w.vendor)
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != "" || r.Header.Get("Authorization") != "" {
			leaked.Store(true)
		}
		http.Error(rw, "not here", http.StatusTeapot)
	}))
	env.Defer(func() {
		w.vendor.Close()
		api.Close()
		other.Close()
		if leaked.Load() {
			env.T().Fatal("the key was sent to another host")
		}
		for _, v := range w.vendor.Violations() {
			env.T().Fatal("a rule of the vendor was broken: " + v)
		}
	})
	env.Values["world"] = w
	env.Setenv("VENDOR_URL", api.URL)
	env.Setenv("OTHER_URL", other.URL)
	env.Setenv("STARLEADS_API_KEY", vendorKey)
	if _, err := os.Stat(filepath.Join(env.WorkDir, "kbsync.yaml")); err == nil {
		return nil
	}
	return os.WriteFile(filepath.Join(env.WorkDir, "kbsync.yaml"), []byte(standardConfig), 0o600)
}

var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	// exits CODE PROGRAM ARGS…: the program ends with that code. What it prints must never contain the key.
	"exits": positive(cmdExits),
	// interrupt REGEXP PROGRAM ARGS…: the program gets SIGINT once the vendor saw a request "METHOD /path" that matches.
	"interrupt": positive(cmdInterrupt),
	// unread DIR PROGRAM ARGS…: as exits 0, and no file in DIR is opened.
	"unread": positive(cmdUnread),
	// growing FILE CODE PROGRAM ARGS…: as exits, while FILE grows all the time.
	"growing": positive(cmdGrowing),
	// vendor …: looks at the simulated vendor or changes it; see vendorCommands.
	"vendor": positive(cmdVendor),
	// at VENDOR …: the same for one of the other vendors; see otherCommands.
	"at": positive(cmdAt),
	// site …: looks at the website at $SITE_URL, which is made of the files in www, or changes it; see cmdSite.
	"site": positive(cmdSite),
	// report FILE SYNC.FIELD=VALUE…: the file is a report as the contract has it, with these values; a number stands for
	// the length of a list. Fields without a sync are those of the report.
	"report": positive(cmdReport),
	// json FILE: the file is JSON.
	"json": positive(cmdJSON),
	// remember FILE… and unchanged FILE…: bytes and times of the files are the same as before; absent files stay absent.
	"remember":  positive(cmdRemember),
	"unchanged": positive(cmdUnchanged),
	// mkfile FILE SIZE: Markdown with numbered lines; a .pdf begins like one.
	"mkfile": positive(cmdMkfile),
	// mkpdfs DIR N: small PDF files, in which file number 7 says marker-07.
	"mkpdfs": positive(cmdMkPDFs),
	// damage DIR: a byte in the middle of every file below it is another one.
	"damage": positive(cmdDamage),
	// oddnames DIR: files with names that nobody should use.
	"oddnames": positive(cmdOddNames),
	// tmpfs DIR SIZE: a file system in memory is mounted there until the script ends; again: it gets another size.
	"tmpfs": positive(cmdTmpfs),
	// newer-state FILE: as if a newer program had written the state file.
	"newer-state": positive(cmdNewerState),
	// clock-back FILE: what the state file remembers was written tomorrow.
	"clock-back": positive(cmdClockBack),
}

// positive is for commands that cannot be negated.
func positive(cmd func(*testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command has no negation")
		}
		cmd(ts, args)
	}
}

// need ends the script when there are fewer than n arguments.
func need(ts *testscript.TestScript, args []string, n int) {
	if len(args) < n {
		ts.Fatalf("%d arguments needed, got %q", n, args)
	}
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}
