package daemon_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/config"
	"kbsyncd/internal/daemon"
	"kbsyncd/internal/simulator"
	sourcekinds "kbsyncd/internal/sources/all"
	kbsync "kbsyncd/internal/sync"
	targetkinds "kbsyncd/internal/targets/all"
)

const key = "sk-very-secret-0123456789"

// company is one folder and the four vendors.
type company struct {
	*testing.T
	dir  string
	logs bytes.Buffer

	starleads *simulator.Starleads
	chatbase  *simulator.Chatbase
	hamsa     *simulator.Hamsa
	converse  *simulator.Converse
	yaml      string
	transport http.RoundTripper
}

const delay = 20 * time.Millisecond

func newCompany(t *testing.T) *company {
	c := &company{
		T: t, dir: t.TempDir(),
		starleads: simulator.NewStarleads(simulator.StarleadsOptions{Key: key, ParseDelay: delay}),
		chatbase:  simulator.NewChatbase(simulator.ChatbaseOptions{Key: key, TrainDelay: delay, Speed: 600}),
		hamsa:     simulator.NewHamsa(simulator.HamsaOptions{Key: key, ProcessDelay: delay}),
		converse:  simulator.NewConverse(simulator.ConverseOptions{Key: key, IndexDelay: delay}),
	}
	t.Cleanup(func() { c.starleads.Close(); c.chatbase.Close(); c.hamsa.Close(); c.converse.Close() })
	c.starleads.AddAgent("agt_sl")
	c.chatbase.AddAgent("agt_cb", "Support bot")
	c.chatbase.AddAgent("agt_sales", "Sales bot")
	c.hamsa.AddAgent("agt_ha")
	c.converse.AddAgent("agt_co")
	at := func(h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	cb := at(c.chatbase)
	c.yaml = fmt.Sprintf(`sources:
  docs: { type: folder, path: docs }
targets:
  support: { type: starleads, api_key: %[1]s, base_url: %[2]s, rate: 1000, dataset: Support, chat: Assistant }
  bot: { type: chatbase, api_key: %[1]s, base_url: %[3]s/api/v2, files_url: %[3]s/files/api/v2, rate: 1000, upload_every: 15ms }
  voice: { type: hamsa, api_key: %[1]s, base_url: %[4]s, rate: 1000 }
  calls: { type: converse, api_key: %[1]s, base_url: %[5]s/api/v1, rate: 1000 }
syncs:
  all:
    from: docs
    to: [support, bot, voice, calls]
    agents:
      - { id: agt_sl, to: support }
      - { id: agt_cb, to: bot }
      - { id: agt_sales, to: bot, match: ["docs/sales/**"] }
      - { id: agt_ha, to: voice }
      - { id: agt_co, to: calls }
`, key, at(c.starleads), cb, at(c.hamsa), at(c.converse))
	return c
}

func (c *company) write(name, text string) {
	c.Helper()
	file := filepath.Join(c.dir, "docs", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		c.Fatal(err)
	}
}

func (c *company) remove(name string) {
	c.Helper()
	if err := os.Remove(filepath.Join(c.dir, "docs", filepath.FromSlash(name))); err != nil {
		c.Fatal(err)
	}
}

func (c *company) loseState() {
	c.Helper()
	if err := os.RemoveAll(filepath.Join(c.dir, ".kbsync")); err != nil {
		c.Fatal(err)
	}
}

// pass runs kbsyncd once over all four vendors.
func (c *company) pass(o kbsync.Options) *kbsync.Report {
	c.Helper()
	r := c.passes(o)
	if len(r.Syncs) != 4 {
		c.Fatalf("%d entries: %+v", len(r.Syncs), r.Syncs)
	}
	return r
}

// passes runs kbsyncd once, as a new process would.
func (c *company) passes(o kbsync.Options) *kbsync.Report {
	c.Helper()
	file := filepath.Join(c.dir, "kbsync.yaml")
	if err := os.WriteFile(file, []byte(c.yaml), 0o600); err != nil {
		c.Fatal(err)
	}
	cfg, err := config.Load(file, func(string) (string, bool) { return "", false },
		config.Kinds{Sources: sourcekinds.Kinds(), Targets: targetkinds.Kinds()})
	if err != nil {
		c.Fatal(err)
	}
	o.KeepChanges = true
	p := &daemon.Program{Config: cfg, Log: slog.New(slog.NewTextHandler(&c.logs, nil)), UserAgent: "kbsyncd/test", Transport: c.transport}
	ctx, cancel := context.WithTimeout(c.Context(), 24*time.Hour)
	defer cancel()
	r, err := p.RunOnce(ctx, daemon.Once{Options: o}, nil)
	if err != nil {
		c.Fatal(err)
	}
	return r
}

// live is what each agent can answer about.
func (c *company) live(marker string) map[string]int {
	n := 0
	for _, d := range c.starleads.Documents() {
		if d.Searchable && bytes.Contains(d.Content, []byte(marker)) {
			n++
		}
	}
	return map[string]int{
		"starleads": n,
		"chatbase":  len(c.chatbase.Retrieve("agt_cb", marker)),
		"sales":     len(c.chatbase.Retrieve("agt_sales", marker)),
		"hamsa":     len(c.hamsa.Retrieve("agt_ha", marker)),
		"converse":  len(c.converse.Retrieve("agt_co", marker)),
	}
}

func (c *company) expect(marker string, n, sales int) {
	c.Helper()
	for who, got := range c.live(marker) {
		want := n
		if who == "sales" {
			want = sales
		}
		if got != want {
			c.Errorf("%s finds %q in %d documents, want %d", who, marker, got, want)
		}
	}
}

func (c *company) clean() {
	c.Helper()
	for who, v := range map[string][]string{
		"starleads": c.starleads.Violations(), "chatbase": c.chatbase.Violations(), "hamsa": c.hamsa.Violations(), "converse": c.converse.Violations(),
	} {
		if len(v) > 0 {
			c.Errorf("%s: %q", who, v)
		}
	}
	if strings.Contains(c.logs.String(), key) {
		c.Error("the key is in the log")
	}
}

func (c *company) ok(r *kbsync.Report) {
	c.Helper()
	for _, e := range r.Syncs {
		if e.Outcome != kbsync.OutcomeOK {
			c.Errorf("%s: %s %q, failed %+v, pending %+v, held %+v", e.Target, e.Outcome, e.Error, e.Failed, e.Pending, e.Held)
		}
	}
	if c.Failed() {
		c.Fatal(c.logs.String())
	}
}

// P1, P2, P5, P6: one folder reaches four vendors, a second pass is silent, and without any state nothing is sent again.
func TestOneFolderFourVendors(t *testing.T) {
	c := newCompany(t)
	for i := range 12 {
		c.write(fmt.Sprintf("guide/page-%02d.md", i), fmt.Sprintf("# Page %d\n\nmarker-%02d is here.\n", i, i))
	}
	c.write("sales/prices.md", "---\ntitle: Prices\nkbsync: {agents: [agt_sl, agt_cb, agt_sales, agt_ha, agt_co]}\n---\nmarker-prices\n")
	c.write("sales/table.csv", "article,price\nmarker-table,12\n")
	c.write("faq.html", "<html><head><title>FAQ</title></head><body><nav>boring-navigation</nav><main><h1>FAQ</h1><p>marker-faq</p></main></body></html>")
	c.write("draft.md", "---\nkbsync: {skip: true}\n---\nmarker-draft\n")
	first := c.pass(kbsync.Options{})
	c.ok(first)
	for _, e := range first.Syncs {
		want := 15
		if e.Target == "bot" {
			want += 2 // the copy of the sales bot
		}
		if e.Uploaded != want || e.Documents != 15 || len(e.Skipped) != 1 {
			t.Errorf("%s: %d uploaded, %d documents, skipped %+v", e.Target, e.Uploaded, e.Documents, e.Skipped)
		}
	}
	c.expect("marker-03", 1, 0)
	c.expect("marker-prices", 1, 1)
	c.expect("marker-table", 1, 1)
	c.expect("marker-faq", 1, 0)
	c.expect("marker-draft", 0, 0)

	for _, e := range c.pass(kbsync.Options{}).Syncs {
		if e.Requests != 0 || e.Changed() != 0 || e.Outcome != kbsync.OutcomeOK {
			t.Errorf("%s: the second pass made %d requests: %+v", e.Target, e.Requests, e)
		}
	}
	c.loseState()
	for _, e := range c.pass(kbsync.Options{}).Syncs {
		if e.Uploaded+e.Replaced+e.Deleted+e.Renamed != 0 || e.Outcome != kbsync.OutcomeOK || e.Adopted < 15 {
			t.Errorf("%s without state: %+v", e.Target, e)
		}
	}

	c.write("guide/page-03.md", "# Page 3\n\nmarker-new is here.\n")
	c.remove("guide/page-04.md")
	c.write("guide/added.md", "# Added\n\nmarker-added\n")
	c.ok(c.pass(kbsync.Options{}))
	c.expect("marker-03", 0, 0)
	c.expect("marker-new", 1, 0)
	c.expect("marker-04", 0, 0)
	c.expect("marker-added", 1, 0)
	c.clean()
}
