// Package config turns kbsync.yaml into typed, validated values.
//
// It guarantees that a Config it returns is complete and consistent: every name refers to something, every
// schedule fires, every secret is at hand. It reports all problems of a file at once, each with its place and with
// what to write instead, and never prints a secret. It is the only package that knows YAML.
//
// Loading reads the configuration file and the files that hold secrets, and nothing else: it opens no
// source, no target, no network connection, and looks only at environment variables that the file names.
package config

import (
	"net/url"
	"slices"
	"time"

	"github.com/robfig/cron/v3"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/targets"
)

// Kinds are the kinds of sources and targets that a configuration may use.
type Kinds struct {
	Sources []sources.Kind
	Targets []targets.Kind
}

// Config is a whole, valid configuration.
type Config struct {
	File string // as the user named it
	Dir  string // the directory of the file, absolute; relative paths in the file start here

	State       string        // absolute path of the state file
	Listen      string        // address of the page and the API; "" when they are off
	ListenToken secret.String // what callers of the page and the API must show; may be empty on loopback
	Owner       string        // part of every mark at the vendors
	Log         Log

	Sources map[string]Source
	Targets map[string]Target
	Syncs   []Sync // ordered by name
	// SyncsLine is the line of the file that says which syncs there are.
	SyncsLine int
	Notify    []Notify
}

// Source is one entry under `sources`.
type Source struct {
	Name   string
	Type   string
	Config sources.Config
}

// Target is one entry under `targets`.
type Target struct {
	Name   string
	Type   string
	Kind   targets.Kind
	Config targets.Config
}

// Sync is one flow from sources to targets.
type Sync struct {
	Name        string
	From        []string // names of sources, in the order of the file
	To          []string // names of targets, in the order of the file
	Agents      []Agent
	Schedule    string        // as written; "" when only events and commands start a pass
	Cron        cron.Schedule // the parsed Schedule; nil when Schedule is ""
	Delete      bool          // false: nothing is ever deleted
	DeleteAfter time.Duration // how long a document must stay missing in the daemon
	MaxDelete   MaxDelete
	Reconcile   time.Duration // how often the vendor's listing is compared
	// KeepFrontMatter sends the front matter of Markdown with the rest of the document.
	KeepFrontMatter bool
	Secrets         string // block, warn or off
}

// AgentsAt are the agents of the sync at one of its targets.
func (s Sync) AgentsAt(target string) []Agent {
	return slices.DeleteFunc(slices.Clone(s.Agents), func(a Agent) bool { return len(a.To) > 0 && !slices.Contains(a.To, target) })
}

// Sync returns the sync called name.
func (c *Config) Sync(name string) (Sync, bool) {
	for _, s := range c.Syncs {
		if s.Name == name {
			return s, true
		}
	}
	return Sync{}, false
}

// Log says how the program logs.
type Log struct {
	Level  string `yaml:"level" enum:"debug|info|warn|error" doc:"The least important messages to show."`
	Format string `yaml:"format" enum:"text|json" doc:"Lines for people or JSON for machines, on standard error."`
}

// Agent is one agent at the vendor that a sync serves.
type Agent struct {
	ID    string   `yaml:"id" short:"true" required:"true" doc:"The vendor's id of the agent."`
	Match []string `yaml:"match" kind:"glob" doc:"Only documents whose key (source/path) matches one of these globs; all when absent."`
	To    []string `yaml:"to" doc:"Only at these targets of the sync; at all of them when absent. For a sync with targets at several vendors, whose agents have different ids."`
}

// Notify is one address that is told about passes.
type Notify struct {
	URL secret.String `yaml:"url" required:"true" doc:"Receives a JSON POST with a \"text\" field, as Slack and Mattermost take it."`
	On  string        `yaml:"on" enum:"failure|recovery|always" doc:"When to send."`
}

func (n *Notify) setDefaults() { n.On = "failure" }

// Validate refuses what is no address. The address is not repeated: whoever knows it can write to the channel.
func (n *Notify) Validate() []fault.Invalid {
	u, err := url.Parse(n.URL.Reveal())
	if n.URL.IsZero() || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return nil
	}
	return []fault.Invalid{{Field: "url", Msg: "must be an http or https address", Hint: "copy the address of the webhook in full, or put it into a variable: ${SLACK_WEBHOOK}"}}
}

// The shape of the file. Fields are in the order of the documentation.
type document struct {
	State           string                    `yaml:"state" kind:"path" default:"$STATE_DIRECTORY/kbsync.db, else .kbsync/kbsync.db" doc:"The state file; a cache that may be lost."`
	Listen          string                    `yaml:"listen" doc:"Address of the status page, the API and the metrics; \"\" turns them off. Other addresses than loopback need a token. For the daemon, which is not built yet."`
	ListenToken     secret.String             `yaml:"listen_token" doc:"What callers of the page and the API must show. For the daemon, which is not built yet."`
	ListenTokenFile string                    `yaml:"listen_token_file" kind:"path" doc:"A file that holds the token, in place of listen_token. For the daemon, which is not built yet."`
	Owner           string                    `yaml:"owner" doc:"Part of every mark at the vendors: tells the documents of two installations apart. Changing it disowns everything sent so far."`
	Log             Log                       `yaml:"log" doc:"Logging."`
	Sources         map[string]sources.Config `yaml:"sources" kind:"names" required:"true" doc:"Where documents come from, by name. The name is the first element of every document's key."`
	Targets         map[string]targets.Config `yaml:"targets" kind:"names" required:"true" doc:"Knowledge stores at the vendors, by name."`
	Syncs           map[string]syncEntry      `yaml:"syncs" kind:"names" doc:"Which sources go to which targets, by name. Without it every source goes to every target, as the sync \"default\"."`
	KeepFrontMatter bool                      `yaml:"keep_front_matter" doc:"true sends the front matter of Markdown documents with the rest; for all syncs."`
	Secrets         string                    `yaml:"secrets" enum:"block|warn|off" doc:"What happens to a document that seems to hold a private key or an access token: block holds it back, warn sends it and says so."`
	Notify          []Notify                  `yaml:"notify" doc:"Who is told about failures. For the daemon, which is not built yet."`
}

func (d *document) setDefaults() {
	d.Listen = "127.0.0.1:8642"
	d.Owner = "kbsyncd"
	d.Log = Log{Level: "info", Format: "text"}
	d.Secrets = "warn"
}

type syncEntry struct {
	From        []string      `yaml:"from" required:"true" doc:"One source or a list."`
	To          []string      `yaml:"to" required:"true" doc:"One target or a list."`
	Agents      []Agent       `yaml:"agents" doc:"Agents that get the documents: ids, or entries with id and match."`
	Schedule    schedule      `yaml:"schedule" doc:"When to look: cron with 5 fields, optionally after \"TZ=Area/City \"; @hourly, @daily, @weekly, @monthly; or \"@every 10m\". Folders also sync on events. \"\" leaves events only. For the daemon, which is not built yet."`
	Delete      bool          `yaml:"delete" doc:"false: additive, nothing is ever deleted."`
	DeleteAfter time.Duration `yaml:"delete_after" doc:"In the daemon, which is not built yet, a document must stay missing this long before it is deleted; with --once it is deleted at once."`
	MaxDelete   MaxDelete     `yaml:"max_delete" default:"25%, but at least 10 documents" doc:"More deletions than this are held until someone approves: a share of the sync's documents or a count. A source that had documents and now has none is always held."`
	Reconcile   time.Duration `yaml:"reconcile" doc:"How often to compare with the vendor's listing."`

	KeepFrontMatter bool   `yaml:"keep_front_matter" doc:"true sends the front matter of Markdown documents with the rest. What kbsync: in it says (skip, title, agents) counts either way."`
	Secrets         string `yaml:"secrets" enum:"block|warn|off" default:"as at the top level" doc:"As at the top level, for this sync."`
}

func (s *syncEntry) setDefaults() {
	s.Schedule = defaultSchedule
	s.Delete = true
	s.DeleteAfter = time.Minute
	s.MaxDelete = MaxDelete{Percent: 25, Count: 10, Default: true}
	s.Reconcile = 24 * time.Hour
}

// Validate checks what the types alone cannot say.
func (s *syncEntry) Validate() []fault.Invalid {
	if s.Reconcile < time.Minute {
		return []fault.Invalid{{Field: "reconcile", Msg: "less than a minute", Hint: `write a longer interval, for example "24h"`}}
	}
	return nil
}

func (s *syncEntry) sync(name string) Sync {
	out := Sync{
		Name: name, From: s.From, To: s.To, Agents: s.Agents, Schedule: string(s.Schedule),
		Delete: s.Delete, DeleteAfter: s.DeleteAfter, MaxDelete: s.MaxDelete, Reconcile: s.Reconcile,
		KeepFrontMatter: s.KeepFrontMatter, Secrets: s.Secrets,
	}
	if s.Schedule != "" {
		out.Cron, _ = ParseSchedule(string(s.Schedule)) // parsed once already when the value was decoded
	}
	return out
}
