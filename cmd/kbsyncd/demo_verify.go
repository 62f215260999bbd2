package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"

	"kbsyncd/internal/console"
	"kbsyncd/internal/simulator"
)

// holding is one document from which an agent answers.
type holding struct {
	name    string
	content []byte
}

// demoDocuments are what the folder holds at the end of the tour, each with words that only it has, and which of the agents
// with a restriction have it.
var demoDocuments = []struct {
	file, words string
	sales, web  bool
}{
	{"faq.md", "vinegar harms the seals", false, true},
	{"guides/first-cup.md", "Rinse the tank", false, true},
	{"guides/repair.rst", "Repairs take ten working days", false, true},
	{"guides/trio.pdf", "turn the burr by hand", false, true},
	{"guides/warranty.docx", "labour and pick-up", false, true},
	{"on-the-phone.md", "spell serial numbers", false, false},
	{"recycling.html", "every shop takes it", false, true},
	{"sales/prices.md", "The Uno is €189 this week", true, true},
	{"welcome.md", "three machines", false, true},
}

// verify compares what each agent answers from with the folder, by the state of the simulators alone.
func (t *tour) verify() error {
	t.out.Printf("\n── Is it so? Each agent's documents, as the vendor holds them, beside the folder\n")
	for _, a := range []struct {
		agent, vendor string
		held          []holding
		all           bool // everything but what a restriction keeps from it
	}{
		{"agt_phone", "starleads", t.vendors.ofStarleads("agt_phone"), true},
		{"agt_web", "chatbase", t.vendors.ofChatbase("agt_web"), false},
		{"agt_voice", "hamsa", t.vendors.ofHamsa("agt_voice"), true},
		{"agt_sales", "hamsa", t.vendors.ofHamsa("agt_sales"), false},
		{"agt_calls", "converse", t.vendors.ofConverse("agt_calls"), true},
	} {
		n := 0
		for _, d := range demoDocuments {
			has := a.all || d.web && a.agent == "agt_web" || d.sales && a.agent == "agt_sales"
			if err := t.compare(d.file, d.words, a.held, has); err != nil {
				return fmt.Errorf("%s at %s: %w", a.agent, a.vendor, err)
			}
			if has {
				n++
			}
		}
		if n != len(a.held) {
			return fmt.Errorf("%s at %s answers from %d documents, not from %d", a.agent, a.vendor, len(a.held), n)
		}
		t.out.Printf("   %-9s  %-9s  answers from %s, each once and the newest\n", a.vendor, a.agent, console.Plural(n, "document"))
	}
	for _, v := range t.vendors.all {
		if broken := v.Violations(); len(broken) > 0 {
			return fmt.Errorf("a rule of %s was broken: %s", v.name, broken[0])
		}
	}
	t.out.Printf("\nDone: four vendors equal the folder, and no rule of theirs was broken. Next: kbsyncd init\n")
	return nil
}

// compare looks for one document, which is there as it is in the folder, or as text with the words.
func (t *tour) compare(file, words string, held []holding, has bool) error {
	original, err := os.ReadFile(t.file(file))
	if err != nil {
		return err
	}
	n := 0
	for _, h := range held {
		if bytes.Equal(h.content, original) || bytes.Contains(h.content, []byte(words)) {
			n++
		}
	}
	switch {
	case has && n != 1:
		return fmt.Errorf("%s is there %s, not once", file, console.Plural(n, "time"))
	case !has && n != 0:
		return fmt.Errorf("%s is there, though it is not for this agent", file)
	}
	return nil
}

func (v demoVendors) ofStarleads(agent string) (out []holding) {
	_, sets := v.starleads.AgentChat(agent)
	for _, d := range v.starleads.Documents() {
		if slices.Contains(sets, d.Dataset) {
			out = append(out, holding{d.Name, searchable(d)})
		}
	}
	return out
}

func (v demoVendors) ofChatbase(agent string) (out []holding) {
	for _, s := range v.chatbase.Documents() {
		if s.Agent == agent && s.IsLive {
			out = append(out, holding{s.LiveName, s.Live})
		}
	}
	return out
}

func (v demoVendors) ofHamsa(agent string) []holding {
	return among(v.hamsa.Documents(), v.hamsa.Held(agent))
}

func (v demoVendors) ofConverse(agent string) []holding {
	return among(v.converse.Documents(), v.converse.Held(agent))
}

// among are the documents with one of the ids.
func among(docs []simulator.Document, ids []string) (out []holding) {
	for _, d := range docs {
		if slices.Contains(ids, d.ID) {
			out = append(out, holding{d.Name, searchable(d)})
		}
	}
	return out
}

// searchable is the content of a document that can be found, and nothing of any other.
func searchable(d simulator.Document) []byte {
	if !d.Searchable {
		return nil
	}
	return d.Content
}
