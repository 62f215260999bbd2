package config

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/targets"
)

// defaultSync is the name of the sync that stands for a file without `syncs`.
const defaultSync = "default"

// build checks what spans several entries and makes the Config. It is only good when no problem was added.
func (d *decoder) build(doc *document) *Config {
	cfg := &Config{
		State: doc.State, Listen: doc.Listen, ListenToken: doc.ListenToken, Owner: doc.Owner, Log: doc.Log,
		Sources: map[string]Source{}, Targets: map[string]Target{}, Notify: doc.Notify,
	}
	if cfg.State == "" {
		cfg.State = d.defaultState()
	}
	if doc.Owner == "" {
		d.problem("owner", "write a name, or remove the key", "empty")
	}
	d.checkListen(doc)
	for name, c := range doc.Sources {
		cfg.Sources[name] = Source{Name: name, Type: d.types["sources."+name], Config: c}
	}
	for name, c := range doc.Targets {
		t := Target{Name: name, Type: d.types["targets."+name], Config: c}
		for _, k := range d.kinds.Targets {
			if k.Name == t.Type {
				t.Kind = k
			}
		}
		cfg.Targets[name] = t
	}
	d.buildSyncs(cfg, doc)
	cfg.SyncsLine = max(1, d.at["syncs"].line)
	return cfg
}

// defaultState is where systemd keeps the service's state, else beside the configuration.
func (d *decoder) defaultState() string {
	dirs, _ := d.env("STATE_DIRECTORY")
	if dir, _, _ := strings.Cut(dirs, ":"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "kbsync.db")
	}
	return filepath.Join(d.dir, ".kbsync", "kbsync.db")
}

func (d *decoder) checkListen(doc *document) {
	if doc.Listen == "" || d.has("listen") {
		return
	}
	host, port, err := net.SplitHostPort(doc.Listen)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 || strings.ContainsFunc(host, isControl) {
		d.problem("listen", `write host:port, for example "127.0.0.1:8642", or "" to turn the page off`, "not an address")
		return
	}
	ip := net.ParseIP(host)
	loopback := strings.EqualFold(host, "localhost") || (ip != nil && ip.IsLoopback())
	if !loopback && doc.ListenToken.IsZero() && !d.has("listen_token") && !d.has("listen_token_file") {
		d.problem("listen", "set listen_token or listen_token_file, or listen on 127.0.0.1", "open to other machines without a token")
	}
}

func (d *decoder) buildSyncs(cfg *Config, doc *document) {
	if len(doc.Syncs) == 0 {
		if d.has("syncs") {
			return
		}
		e := syncEntry{From: slices.Sorted(maps.Keys(cfg.Sources)), To: slices.Sorted(maps.Keys(cfg.Targets))}
		e.setDefaults()
		cfg.Syncs = []Sync{e.sync(defaultSync)}
		cfg.Syncs[0].inherit(doc)
		for _, name := range e.To {
			if t := cfg.Targets[name]; t.Kind.AgentCopies {
				d.problem(join("targets", name), "write syncs: with agents for it", "%s keeps a copy for each agent, and without syncs there are no agents", t.Type)
			}
		}
		return
	}
	scopes := map[kb.Scope]string{}
	owners := map[string]string{} // of stores that serve one sync only
	for _, name := range slices.Sorted(maps.Keys(doc.Syncs)) {
		path := join("syncs", name)
		e := doc.Syncs[name]
		checkNames(d, path+".from", "source", e.From, cfg.Sources)
		checkNames(d, path+".to", "target", e.To, cfg.Targets)
		d.checkAgents(path, e, cfg)
		d.checkExclusive(path, name, e, cfg, owners)
		scope := kb.NewScope(cfg.Owner, name)
		if other, ok := scopes[scope]; ok {
			d.problem(path, "rename one of the two", "its mark is the same as that of the sync %q by chance, so they would take each other's documents", other)
		}
		scopes[scope] = name
		sy := e.sync(name)
		sy.inherit(doc)
		cfg.Syncs = append(cfg.Syncs, sy)
	}
}

// inherit takes what the sync leaves open from the top level.
func (s *Sync) inherit(doc *document) {
	s.KeepFrontMatter = s.KeepFrontMatter || doc.KeepFrontMatter
	if s.Secrets == "" {
		s.Secrets = doc.Secrets
	}
}

func checkNames[T any](d *decoder, path, what string, names []string, known map[string]T) {
	for i, name := range names {
		at := path
		if _, listed := d.at[fmt.Sprintf("%s[%d]", path, i)]; listed {
			at = fmt.Sprintf("%s[%d]", path, i)
		}
		if _, ok := known[name]; !ok {
			if !d.has(at) {
				d.problem(at, didYouMean(name, slices.Collect(maps.Keys(known)), "known are "), "unknown %s %s", what, quoted(name))
			}
		} else if slices.Contains(names[:i], name) {
			d.problem(at, "remove one of them", "the %s %s is listed twice", what, quoted(name))
		}
	}
}

// checkExclusive refuses a second sync for a store that serves one only.
func (d *decoder) checkExclusive(path, name string, e syncEntry, cfg *Config, owners map[string]string) {
	for _, to := range e.To {
		x, ok := cfg.Targets[to].Config.(targets.Exclusive)
		if !ok || x.OneSync() == "" {
			continue
		}
		for _, a := range (Sync{Agents: e.Agents}).AgentsAt(to) {
			if other, taken := owners[to+" "+a.ID]; taken {
				d.problem(path, "give both to one sync with several sources, or use api: v2", "the agent %s of %s belongs to the sync %s already: %s",
					quoted(a.ID), quoted(to), quoted(other), x.OneSync())
				return
			}
			owners[to+" "+a.ID] = name
		}
	}
}

// checkAgents refuses agents that are listed twice, `match` where the vendor hands whole stores to agents, and targets that
// lack a setting that agents need.
func (d *decoder) checkAgents(path string, e syncEntry, cfg *Config) {
	d.checkAgentTargets(path, e, cfg)
	seen := map[string]bool{}
	for i, a := range e.Agents {
		at := fmt.Sprintf("%s.agents[%d]", path, i)
		if seen[a.ID] && a.ID != "" {
			d.problem(at, "write one entry for it, or give each target a sync of its own", "the agent %s is listed twice", quoted(a.ID))
		}
		seen[a.ID] = true
		for k, to := range a.To {
			if !slices.Contains(e.To, to) {
				d.problem(fmt.Sprintf("%s.to[%d]", at, k), didYouMean(to, e.To, "its targets are "), "the sync has no target %s", quoted(to))
			}
		}
		if len(a.Match) == 0 {
			continue
		}
		for _, to := range e.To {
			if len(a.To) > 0 && !slices.Contains(a.To, to) {
				continue
			}
			if t, ok := cfg.Targets[to]; ok && t.Config != nil && !t.Kind.AgentMatch && !d.has(at+".match") {
				d.problem(at+".match", "remove match, or give these documents a sync and a target of their own",
					"%s hands a whole store to its agents, not single documents", t.Type)
			}
		}
	}
}

func (d *decoder) checkAgentTargets(path string, e syncEntry, cfg *Config) {
	for _, to := range e.To {
		var ids []string
		for _, a := range (Sync{Agents: e.Agents}).AgentsAt(to) {
			ids = append(ids, a.ID)
		}
		if t := cfg.Targets[to]; len(ids) == 0 && t.Kind.AgentCopies && !d.has(path+".agents") {
			d.problem(path, "write agents: [ID] with the ids that the vendor's dashboard shows", "%s keeps a copy for each agent, and the sync has no agents for %s", t.Type, quoted(to))
		}
		if len(ids) == 0 {
			continue
		}
		check, ok := cfg.Targets[to].Config.(targets.AgentChecker)
		if !ok {
			continue
		}
		bad := check.CheckAgents(ids)
		at := join("targets", to)
		// A key that begins like the field may be another form of it, such as its id, that could not be read.
		if bad == nil || slices.ContainsFunc(d.list, func(p Problem) bool { return strings.HasPrefix(p.Path, join(at, bad.Field)) }) {
			continue
		}
		d.invalid(at, bad.Field, fmt.Sprintf("%s, though the sync %s has agents", bad.Msg, quoted(strings.TrimPrefix(path, "syncs."))), bad.Hint)
	}
}
