package daemon_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"kbsyncd/internal/simulator"
	kbsync "kbsyncd/internal/sync"
)

// chatbaseOnly is a company with one vendor and the given lines for its target and sync.
func chatbaseOnly(t *testing.T, target, agents string) *company {
	t.Helper()
	c := &company{T: t, dir: t.TempDir(), chatbase: simulator.NewChatbase(simulator.ChatbaseOptions{Key: key, TrainDelay: delay})}
	t.Cleanup(c.chatbase.Close)
	c.chatbase.AddAgent("agt_a", "First")
	c.chatbase.AddAgent("agt_b", "Second")
	srv := httptest.NewServer(c.chatbase)
	t.Cleanup(srv.Close)
	c.yaml = fmt.Sprintf(`sources:
  docs: { type: folder, path: docs }
targets:
  bot: { type: chatbase, api_key: %[1]s, rate: 1000, %[2]s }
syncs:
  all: { from: docs, to: bot, agents: [%[3]s] }
`, key, strings.ReplaceAll(target, "URL", srv.URL), agents)
	return c
}

func (c *company) one(o kbsync.Options) *kbsync.Entry {
	c.Helper()
	r := c.passes(o)
	if len(r.Syncs) != 1 {
		c.Fatalf("%d entries", len(r.Syncs))
	}
	return r.Syncs[0]
}

// P3, P4: an agent that leaves the configuration loses its copy, with the guard's consent and nothing of anybody else's.
func TestAgentsThatLeaveLoseTheirCopy(t *testing.T) {
	const v2 = "base_url: URL/api/v2, files_url: URL/files/api/v2"
	c := chatbaseOnly(t, v2, "agt_a, agt_b")
	c.chatbase.Put("agt_b", "theirs", []byte("marker-theirs"))
	for i := range 15 {
		c.write(fmt.Sprintf("%02d.md", i), fmt.Sprintf("# %d\n\nmarker-ours\n", i))
	}
	if e := c.one(kbsync.Options{}); e.Outcome != kbsync.OutcomeOK || e.Uploaded != 30 || e.Documents != 15 {
		t.Fatalf("%+v", e)
	}
	c.yaml = strings.Replace(c.yaml, "agt_a, agt_b", "agt_a", 1)
	if e := c.one(kbsync.Options{}); e.Outcome != kbsync.OutcomeHeld || len(e.Held) != 15 || e.Deleted != 0 || e.Documents != 15 {
		t.Fatalf("%+v", e)
	}
	if e := c.one(kbsync.Options{AllowDeletes: true}); e.Outcome != kbsync.OutcomeOK || e.Deleted != 15 {
		t.Fatalf("%+v", e)
	}
	if n := len(c.chatbase.Retrieve("agt_b", "marker-")); n != 1 {
		t.Errorf("the second agent finds %d sources, want the one of somebody else", n)
	}
	if n := len(c.chatbase.Retrieve("agt_a", "marker-ours")); n != 15 {
		t.Errorf("the first agent finds %d sources, want 15", n)
	}
	if e := c.one(kbsync.Options{}); e.Outcome != kbsync.OutcomeOK || e.Requests != 0 {
		t.Fatalf("%+v", e)
	}
	if v := c.chatbase.Violations(); len(v) > 0 {
		t.Errorf("%q", v)
	}
}

// P4: what cannot be sent is not taken out of the one text without consent, and an empty folder does not empty it.
func TestBundleKeepsWhatCannotBeSent(t *testing.T) {
	c := chatbaseOnly(t, "api: v1, base_url: URL/api/v1", "agt_a")
	for i := range 5 {
		c.write(fmt.Sprintf("%d.md", i), fmt.Sprintf("# %d\n\nmarker-%d\n", i, i))
	}
	c.one(kbsync.Options{})
	text := c.chatbase.Bundle("agt_a").Live
	for i := range 4 {
		c.write(fmt.Sprintf("%d.md", i), "")
	}
	c.one(kbsync.Options{})
	c.write("new.md", "# New\n")
	for range 2 {
		if e := c.one(kbsync.Options{}); e.ExitCode() != 3 || len(e.Held) != 4 || c.chatbase.Bundle("agt_a").Live != text {
			t.Fatalf("%+v", e)
		}
	}
	for i := range 4 {
		c.write(fmt.Sprintf("%d.md", i), fmt.Sprintf("# %d\n\nmarker-%d\n", i, i))
	}
	if e := c.one(kbsync.Options{}); e.Outcome != kbsync.OutcomeOK || e.Uploaded != 1 || e.Deleted != 0 {
		t.Fatalf("%+v", e)
	}
	text = c.chatbase.Bundle("agt_a").Live
	for i := range 5 {
		c.remove(fmt.Sprintf("%d.md", i))
	}
	c.remove("new.md")
	c.loseState()
	if e := c.one(kbsync.Options{}); e.ExitCode() != 3 || c.chatbase.Bundle("agt_a").Live != text {
		t.Fatalf("an empty folder and no state: %+v", e)
	}
}

// P7: a text that was not sent is not believed sent.
func TestBundleThatFailedIsSentAgain(t *testing.T) {
	c := chatbaseOnly(t, "api: v1, base_url: URL/api/v1", "agt_a")
	c.write("a.md", "# old\n")
	c.one(kbsync.Options{})
	c.write("a.md", "# new\n")
	c.chatbase.SetFaults(simulator.Faults{Next: []simulator.Fault{{Route: "v1_list", Status: 403, Body: "{}"}}})
	if e := c.one(kbsync.Options{}); e.ExitCode() != 1 || e.Replaced != 0 {
		t.Fatalf("%+v", e)
	}
	c.chatbase.SetFaults(simulator.Faults{})
	if e := c.one(kbsync.Options{}); e.Outcome != kbsync.OutcomeOK || e.Replaced != 1 || !strings.Contains(c.chatbase.Bundle("agt_a").Live, "# new") {
		t.Fatalf("%+v", e)
	}
}

// P1: an agent that left the configuration and is gone at the vendor too does not fail passes for ever.
func TestAgentsThatAreGoneAreForgotten(t *testing.T) {
	c := chatbaseOnly(t, "base_url: URL/api/v2, files_url: URL/files/api/v2", "agt_a, agt_b")
	for i := range 3 {
		c.write(fmt.Sprintf("%d.md", i), fmt.Sprintf("# %d\n", i))
	}
	c.one(kbsync.Options{})
	c.yaml = strings.Replace(c.yaml, "agt_a, agt_b", "agt_a", 1)
	for i, code := range []int{1, 0, 0} {
		c.chatbase.SetFaults(simulator.Faults{Next: []simulator.Fault{{
			Route: "agent_get", Status: 404, Body: `{"error":{"code":"AGENT_NOT_FOUND","message":"Agent not found"}}`,
		}}})
		if e := c.one(kbsync.Options{AllowDeletes: true}); e.ExitCode() != code {
			t.Fatalf("pass %d: %+v", i, e)
		}
	}
}

// The one text of a chatbot has every document under its mark, is sent when something changed, and is not sent when documents cannot
// be read or too many are gone.
func TestBundle(t *testing.T) {
	c := chatbaseOnly(t, "api: v1, base_url: URL/api/v1", "agt_a")
	for i := range 12 {
		c.write(fmt.Sprintf("%02d.md", i), fmt.Sprintf("# %d\n\nmarker-%02d\n", i, i))
	}
	c.write("skipped.md", "---\nkbsync: {skip: true}\n---\nmarker-skipped\n")
	if e := c.one(kbsync.Options{DryRun: true}); e.Uploaded != 12 || e.Requests != 0 {
		t.Fatalf("%+v", e)
	}
	if e := c.one(kbsync.Options{}); e.Outcome != kbsync.OutcomeOK || e.Uploaded != 12 || e.Documents != 12 {
		t.Fatalf("%+v\n%s", e, c.logs.String())
	}
	text := c.chatbase.Bundle("agt_a").Live
	for i := range 12 {
		if strings.Count(text, fmt.Sprintf("marker-%02d", i)) != 1 {
			t.Fatalf("the text has not one document %d:\n%s", i, text)
		}
	}
	if strings.Contains(text, "marker-skipped") || strings.Index(text, "marker-01") > strings.Index(text, "marker-02") {
		t.Fatalf("the text is\n%s", text)
	}
	if e := c.one(kbsync.Options{}); e.Outcome != kbsync.OutcomeOK || e.Requests != 0 || e.Unchanged != 12 {
		t.Fatalf("%+v", e)
	}

	c.write("03.md", "# 3\n\nmarker-edited\n")
	c.remove("04.md")
	if e := c.one(kbsync.Options{}); e.Outcome != kbsync.OutcomeOK || e.Replaced != 1 || e.Deleted != 1 {
		t.Fatalf("%+v", e)
	}
	text = c.chatbase.Bundle("agt_a").Live
	if !strings.Contains(text, "marker-edited") || strings.Contains(text, "marker-04") || strings.Contains(text, "marker-03") {
		t.Fatalf("the text is\n%s", text)
	}

	for i := range 12 {
		if i != 4 {
			c.remove(fmt.Sprintf("%02d.md", i))
		}
	}
	c.write("new.md", "# New\n\nmarker-new\n")
	if e := c.one(kbsync.Options{}); e.Outcome != kbsync.OutcomeHeld || len(e.Held) != 11 || e.Uploaded != 0 || e.Deleted != 0 {
		t.Fatalf("%+v", e)
	}
	if text != c.chatbase.Bundle("agt_a").Live {
		t.Error("the text changed although its deletions are held")
	}
	if e := c.one(kbsync.Options{AllowDeletes: true}); e.Outcome != kbsync.OutcomeOK || e.Deleted != 11 || e.Uploaded != 1 {
		t.Fatalf("%+v", e)
	}
	if v := c.chatbase.Violations(); len(v) > 0 {
		t.Errorf("%q", v)
	}
}
