package config

import (
	"errors"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/targets"
)

// What cannot be used yet says so in the list of kinds, and where it is opened what to do about it.
func TestUnbuiltKindsSaySo(t *testing.T) {
	check := func(name, summary string, err error) {
		t.Helper()
		unbuilt := err != nil && strings.Contains(err.Error(), "not built yet")
		if strings.HasSuffix(summary, "(not built yet)") != unbuilt {
			t.Errorf("%s is listed as %q, and opening it gives %v", name, summary, err)
		}
		if unbuilt && (!errors.Is(err, fault.ErrSetup) || !strings.HasSuffix(err.Error(), "; remove it from the syncs for now")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	kinds := testKinds()
	for _, k := range kinds.Sources {
		s, err := k.NewConfig().Open(sources.Options{Name: "x"})
		if err == nil {
			_ = s.Close()
		}
		check(k.Name, k.Summary, err)
	}
	for _, k := range kinds.Targets {
		s, err := k.NewConfig().Open(targets.Options{Name: "x"})
		if err == nil {
			_ = s.Close()
		}
		check(k.Name, k.Summary, err)
	}
}
