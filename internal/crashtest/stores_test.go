package crashtest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/simulator"
)

// store is a simulated vendor as these tests see it: what the program's agent and another one can answer from.
type store interface {
	http.Handler
	Close()
	SetFaults(simulator.Faults)
	Requests() []simulator.Request
	ResetRequests()
	Violations() []string

	// target is the vendor's part of the configuration, for a simulator served at url.
	target(url string) string
	// kinds tells the requests apart.
	kinds() []kind
	// put stores a document as a human does, and hands it to an agent where that is possible.
	put(agent, name string, content []byte)
	// documents is everything in the store, by id.
	documents() map[string]remote
	// assignments is what agents were given that is not the program's business; foreign are the documents that are not ours.
	assignments(foreign map[string]remote) string
	// wrong is what our agent lacks, or has too much of.
	wrong(foreign map[string]remote) []string
	// forgets tells that a document which is renamed has to be parsed again.
	forgets() bool
	// inPlace tells that documents are given new content in place.
	inPlace() bool
	// heal is what a human does at last, when a report asks for it.
	heal()
	// home is where all documents of ours must be.
	home() string
	// says is what the store is like, for a failure.
	says() string
}

// kind is one kind of requests that a trap can wait for.
type kind struct{ name, pattern string }

// kindOf names a request.
func kindOf(kinds []kind, r *http.Request) string {
	line := r.Method + " " + r.URL.Path
	for _, k := range kinds {
		if regexp.MustCompile(k.pattern).MatchString(line) {
			return k.name
		}
	}
	return "other"
}

// usualSettle is how long documents may stand still.
const usualSettle = 3 * time.Second

// maker makes a world: a store of a kind, with habits that follow from the dice, and where the documents come from.
type maker struct {
	name  string
	make  func(dice) store
	from  func(*world, dice) origin // a folder when it is nil
	also  func(dice) store          // a second target with the same documents; may be nil
	links bool                      // the vendor is given addresses
}

// makers are worlds with a folder. The first four are one of each vendor.
var makers = []maker{
	{name: "starleads", make: newStarleads},
	{name: "chatbase", make: newAgent},
	{name: "hamsa-deletes", make: newProject},
	{name: "converse", make: newConverse},
	{name: "chatbase-trained", make: func(d dice) store { return newChatbase(d, "B") }},
	{name: "hamsa-keeps", make: func(d dice) store { return newHamsa(d, false) }},
}

// gitMakers are worlds with a repository.
var gitMakers = []maker{
	{name: "git-converse", make: newConverse, from: newRepository},
	{name: "git-hamsa-and-chatbase", make: newProject, from: newRepository, also: newAgent},
	{name: "git-starleads", make: newStarleads, from: newRepository},
}

func newAgent(d dice) store   { return newChatbase(d, "C") }
func newProject(d dice) store { return newHamsa(d, true) }

// dice decides on the habits of a vendor.
type dice struct{ *rand.Rand }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// work is how long documents take to be searchable.
func (d dice) work() time.Duration { return time.Duration(50+d.IntN(150)) * time.Millisecond }

func (d dice) latency() time.Duration { return time.Duration(d.IntN(4)) * time.Millisecond }

// starleads is a dataset that a chat answers from.
type starleads struct {
	*simulator.Starleads

	opts simulator.StarleadsOptions
}

func newStarleads(d dice) store {
	o := simulator.StarleadsOptions{
		Key: apiKey, Seed: d.Uint64(), ParseDelay: d.work(), Latency: d.latency(),
		MixedBatch500: d.chance(50), BareLists: d.chance(40), UpperStatus: d.chance(50), BadIDs400: d.chance(50), ShuffledUpload: d.chance(50),
		NumericIDs: d.chance(40), NoStatus: d.chance(30), AllowEmptyChat: d.chance(50), RenameResets: d.chance(40),
	}
	if d.chance(30) {
		o.ParseSlots = 4
	}
	s := starleads{simulator.NewStarleads(o), o}
	s.AddAgent(ourAgent)
	s.Connect(otherAgent, "Somebody's chat")
	return s
}

func (starleads) target(url string) string {
	return fmt.Sprintf("type: starleads\n    base_url: %s\n    settle_timeout: %v\n    dataset: %s\n    chat: %s", url, usualSettle, datasetName, chatName)
}

func (starleads) kinds() []kind {
	return []kind{
		{"dataset", `/Dataset(/[^/]+)?$`},
		{"agent", `/(KnowledgeBaseChat|Agent)`},
		{"parse", `parse|parsing$`},
		{"upload", `^POST `},
		{"rename", `^PATCH `},
		{"delete", `^DELETE `},
		{"list", `^GET `},
	}
}

func (s starleads) put(agent, name string, content []byte) {
	switch dataset := datasetName; {
	case agent == otherAgent:
		s.Put("Another dataset", name, content, simulator.StatusDone)
	case strings.HasPrefix(name, "not parsed"):
		s.Put(dataset, name, content, simulator.StatusPending)
	default:
		s.Put(dataset, name, content, simulator.StatusDone)
	}
}

func (s starleads) documents() map[string]remote {
	out, datasets := map[string]remote{}, s.Datasets()
	for _, d := range s.Documents() {
		out[d.ID] = remote{id: d.ID, place: datasets[d.Dataset], name: d.Name, content: d.Content, status: d.Status, live: d.Searchable}
	}
	return out
}

func (s starleads) assignments(map[string]remote) string {
	chat, _ := s.AgentChat(otherAgent)
	return "chat " + chat
}

func (s starleads) wrong(map[string]remote) (bad []string) {
	if n := len(s.Datasets()); n > 2 {
		bad = append(bad, fmt.Sprintf("there are %d datasets", n))
	}
	chat, datasets := s.AgentChat(ourAgent)
	if chat == "" || len(datasets) != 1 || s.Datasets()[datasets[0]] != datasetName {
		bad = append(bad, fmt.Sprintf("the agent has chat %q with datasets %v", chat, datasets))
	}
	return bad
}

func (starleads) heal()           {}
func (s starleads) forgets() bool { return s.opts.RenameResets }
func (starleads) inPlace() bool   { return false }
func (starleads) home() string    { return datasetName }
func (s starleads) says() string  { return fmt.Sprintf("%+v", s.opts) }

// chatbase is the sources of an agent.
type chatbase struct {
	*simulator.Chatbase

	opts simulator.ChatbaseOptions
}

const (
	uploadEvery = 20 * time.Millisecond
	uploadSpeed = float64(6*time.Second) / float64(uploadEvery)
)

func newChatbase(d dice, generation string) store {
	o := simulator.ChatbaseOptions{
		Key: apiKey, Seed: d.Uint64(), TrainDelay: d.work(), Latency: d.latency(), Generation: generation, Speed: uploadSpeed,
		StrictAgents: d.chance(50), NoRetryAfter: d.chance(50), WrapData: d.chance(50), UpdateWhileTraining: d.chance(40),
		MisspeltDeleted: d.chance(30), OriginalSize: d.chance(50),
	}
	if d.chance(50) {
		o.PurgeDelay = time.Duration(d.IntN(500)) * time.Millisecond
	}
	s := chatbase{simulator.NewChatbase(o), o}
	s.AddAgent(ourAgent, "Our bot")
	s.AddAgent(otherAgent, "Somebody's bot")
	return s
}

func (s chatbase) target(url string) string {
	settle := usualSettle
	if s.opts.Generation == "B" { // there training starts when settling has stood still that long
		settle = time.Second
	}
	return fmt.Sprintf("type: chatbase\n    base_url: %s/api/v2\n    files_url: %s/files/api/v2\n    upload_every: %v\n    settle_timeout: %v",
		url, url, uploadEvery, settle)
}

func (chatbase) kinds() []kind {
	return []kind{
		{"train", `/train$`},
		{"upload", `^POST `},
		{"replace", `^PUT `},
		{"delete", `^DELETE `},
		{"list", `/sources$`},
		{"poll", `/sources`},
		{"agent", `/agents`},
	}
}

func (s chatbase) put(agent, name string, content []byte) { s.Put(agent, name, content) }

func (s chatbase) documents() map[string]remote {
	out := map[string]remote{}
	for _, d := range s.Documents() {
		r := remote{id: d.ID, place: d.Agent, name: d.Name, content: d.Content, status: d.Status, live: d.IsLive}
		if d.IsLive {
			r.content = d.Live // it is the earlier version while the next one is being trained
		}
		r.gone = d.Status == "toBeDeleted"
		out[d.ID] = r
	}
	return out
}

func (chatbase) assignments(map[string]remote) string   { return "" }
func (chatbase) wrong(map[string]remote) (bad []string) { return nil }

// heal presses the dashboard's button: nothing else starts a training of the newest generation that stands still.
func (s chatbase) heal() {
	if s.opts.Generation == "C" {
		s.Retrain(ourAgent)
	}
}

func (chatbase) forgets() bool  { return false }
func (chatbase) inPlace() bool  { return true }
func (chatbase) home() string   { return ourAgent }
func (s chatbase) says() string { return fmt.Sprintf("%+v", s.opts) }

// holder is a store whose agents hold single documents.
type holder interface {
	Documents() []simulator.Document
	Put(name string, content []byte) (id string)
	Held(agent string) []string
	Give(agent, id string)
	AddAgent(id string)
}

// held is the part of such stores that is the same.
type held struct{ holder }

func (h held) put(agent, name string, content []byte) { h.Give(agent, h.Put(name, content)) }

func (h held) documents() map[string]remote {
	out, ours := map[string]remote{}, h.Held(ourAgent)
	for _, d := range h.Documents() {
		r := remote{id: d.ID, name: d.Name, content: d.Content, status: d.Status, live: d.Searchable && slices.Contains(ours, d.ID)}
		r.name, r.orphan = strings.CutSuffix(d.Name, " (retired)")
		out[d.ID] = r
	}
	return out
}

func (h held) assignments(foreign map[string]remote) string {
	ours := slices.DeleteFunc(h.Held(ourAgent), func(id string) bool { return foreign[id].id == "" })
	return fmt.Sprintf("theirs %q, ours %q", h.Held(otherAgent), ours)
}

// wrong: whether our agent holds every document is seen from those that are live.
func (h held) wrong(foreign map[string]remote) (bad []string) {
	all := h.documents()
	for _, id := range h.Held(ourAgent) {
		if d := all[id]; foreign[id].id == "" && !d.live {
			bad = append(bad, fmt.Sprintf("the agent holds %s, which is of no use to it: %+v", id, d))
		}
	}
	return bad
}

func (held) heal()         {}
func (held) forgets() bool { return false }
func (held) inPlace() bool { return false }
func (held) home() string  { return "" }

// hamsa is the items of a project.
type hamsa struct {
	*simulator.Hamsa
	held

	opts simulator.HamsaOptions
}

func newHamsa(d dice, deletes bool) store {
	o := simulator.HamsaOptions{
		Key: apiKey, Seed: d.Uint64(), ProcessDelay: d.work(), Latency: d.latency(), AllowDelete: deletes,
		SuccessFalse: d.chance(50), NestErrors: d.chance(50), NumericExtension: d.chance(50), RepeatItems: d.chance(40),
		IgnoreSearch: d.chance(40), NoProject: d.chance(30),
		CreateReply: simulator.HamsaReply(d.IntN(5)), FetchPages: true,
	}
	if d.chance(30) {
		o.MaxTake = 10
	}
	s := hamsa{Hamsa: simulator.NewHamsa(o), opts: o}
	s.held = held{s.Hamsa}
	s.Hamsa.AddAgent(ourAgent)
	s.Hamsa.AddAgent(otherAgent)
	return s
}

func (s hamsa) target(url string) string {
	return fmt.Sprintf("type: hamsa\n    base_url: %s\n    settle_timeout: %v\n    try_delete: %t", url, usualSettle, s.opts.AllowDelete)
}

func (hamsa) kinds() []kind {
	const items = `/v1/voice-agents/knowledge-base`
	return []kind{
		{"upload", `^POST ` + items + `$`},
		{"deactivate", `/toggle-activation$`},
		{"rename", `^PATCH ` + items},
		{"assign", `^PATCH `},
		{"delete", `^DELETE `},
		{"list", items + `/list$`},
		{"poll", items},
		{"agent", `^GET `},
	}
}

func (s hamsa) says() string { return fmt.Sprintf("%+v", s.opts) }

// converse is the documents of an organisation.
type converse struct {
	*simulator.Converse
	held

	opts simulator.ConverseOptions
}

func newConverse(d dice) store {
	o := simulator.ConverseOptions{
		Key: apiKey, Seed: d.Uint64(), IndexDelay: d.work(), Latency: d.latency(),
		NumericIDs: d.chance(40), UniqueNames: d.chance(40), StrictAssign: d.chance(50), DetailList: d.chance(50), EmptyDelete: d.chance(50),
		Paging: simulator.ConversePaging(d.IntN(4)), FetchPages: true,
	}
	if d.chance(30) {
		o.StatusField = simulator.ConverseNone
	}
	s := converse{Converse: simulator.NewConverse(o), opts: o}
	s.held = held{s.Converse}
	s.Converse.AddAgent(ourAgent)
	s.Converse.AddAgent(otherAgent)
	return s
}

func (converse) target(url string) string {
	return fmt.Sprintf("type: converse\n    base_url: %s/api/v1\n    settle_timeout: %v", url, usualSettle)
}

func (converse) kinds() []kind {
	return []kind{
		{"assign", `/assign/`},
		{"assigned", `/knowledge/agent/`},
		{"reindex", `/reindex$`},
		{"chunks", `/chunks$`},
		{"upload", `^POST `},
		{"delete", `^DELETE `},
		{"list", `/knowledge$`},
		{"agent", `/agents`},
	}
}

func (s converse) says() string { return fmt.Sprintf("%+v", s.opts) }
