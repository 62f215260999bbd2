package folder

import (
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/filter"
)

// Kind is the entry of this source in sources/all.
var Kind = sources.Kind{
	Name:      "folder",
	Summary:   "files in a folder",
	NewConfig: func() sources.Config { return NewConfig() },
}

// Config is the configuration of a folder.
type Config struct {
	Path      string        `yaml:"path" kind:"path" required:"true" doc:"The folder."`
	Include   []string      `yaml:"include" kind:"glob" doc:"Globs relative to path, for example **/*.md; everything when absent. Hidden names are left out unless a pattern spells out a name that begins with a dot."`
	Exclude   []string      `yaml:"exclude" kind:"glob" doc:"Globs relative to path that are left out; .kbsyncignore files (gitignore syntax) count as well."`
	Watch     string        `yaml:"watch" enum:"auto|events|poll|off" doc:"How changes are noticed; auto polls on NFS, SMB and FUSE. For the daemon, which is not built yet."`
	Poll      time.Duration `yaml:"poll" doc:"How often to look, when polling. For the daemon, which is not built yet."`
	Debounce  time.Duration `yaml:"debounce" doc:"Quiet time after the last event before a pass starts. For the daemon, which is not built yet."`
	Marker    string        `yaml:"marker" doc:"A file in the folder that must exist, else the scan fails; proof that the share is mounted."`
	PublicURL string        `yaml:"public_url" doc:"Where readers find the documents: relative links in Markdown become absolute. An address that the path is added to, or one with {path} or {page} (the path without extension, and without index or README) in its place."`
}

var _ sources.Config = (*Config)(nil)

// NewConfig is a configuration with its defaults.
func NewConfig() *Config {
	return &Config{Watch: "auto", Poll: time.Minute, Debounce: 2 * time.Second}
}

// Validate implements sources.Config.
func (c *Config) Validate() []fault.Invalid {
	var bad []fault.Invalid
	add := func(field, msg, hint string) {
		bad = append(bad, fault.Invalid{Field: field, Msg: msg, Hint: hint})
	}
	switch {
	case c.Path == "":
		add("path", "is missing", "name the folder with the documents")
	case strings.ContainsRune(c.Path, 0):
		add("path", "contains a NUL byte", "")
	}
	for _, p := range c.Include {
		bad = append(bad, filter.CheckGlob("include", p)...)
	}
	for _, p := range c.Exclude {
		bad = append(bad, filter.CheckGlob("exclude", p)...)
	}
	switch c.Watch {
	case "auto", "events", "poll", "off":
	default:
		add("watch", strconv.Quote(c.Watch)+" is unknown", "use auto, events, poll or off")
	}
	if c.Poll < time.Second {
		add("poll", "must be at least 1s", "")
	}
	if c.Debounce < 0 {
		add("debounce", "must not be negative", "")
	}
	if msg, hint := kb.CheckPublicURL(c.PublicURL); msg != "" {
		add("public_url", msg, hint)
	}
	if c.Marker != "" && !filepath.IsLocal(filepath.FromSlash(c.Marker)) {
		add("marker", strconv.Quote(c.Marker)+" is not a path inside the folder", "write it relative to path, for example .kbsync-root")
	}
	return bad
}

// Open implements sources.Config. It touches no disk: whether the folder is there is for Scan to say.
func (c *Config) Open(o sources.Options) (sources.Source, error) {
	path := c.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(o.Dir, path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	marker := c.Marker
	if marker != "" {
		marker = filepath.ToSlash(filepath.Clean(filepath.FromSlash(marker)))
	}
	return &Folder{
		name:   o.Name,
		path:   path,
		marker: marker,
		public: kb.PublicURL(c.PublicURL),
		filter: filter.New(c.Include, c.Exclude, marker),
		log:    log,
	}, nil
}
