package main

import (
	"io"
	"log/slog"

	"kbsyncd/internal/config"
	"kbsyncd/internal/daemon"
	sourcekinds "kbsyncd/internal/sources/all"
	targetkinds "kbsyncd/internal/targets/all"
)

func kinds() config.Kinds {
	return config.Kinds{Sources: sourcekinds.Kinds(), Targets: targetkinds.Kinds()}
}

// load finds and reads the configuration.
func (a *app) load() (*config.Config, error) {
	file, err := config.Find(a.configFlag, a.env)
	if err != nil {
		return nil, usage{err}
	}
	cfg, err := config.Load(file, a.env, kinds())
	if err != nil {
		return nil, err
	}
	return cfg, nil
}

// program makes a configuration ready to run. Quiet drops the lines that a terminal shows in another way.
func (a *app) program(cfg *config.Config, logs io.Writer, quiet bool) *daemon.Program {
	level := slog.LevelInfo
	_ = level.UnmarshalText([]byte(cfg.Log.Level))
	if quiet && level == slog.LevelInfo {
		level = slog.LevelWarn
	}
	o := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(logs, o)
	if cfg.Log.Format == "json" {
		h = slog.NewJSONHandler(logs, o)
	}
	return &daemon.Program{Config: cfg, Log: slog.New(h), UserAgent: "kbsyncd/" + version()}
}
