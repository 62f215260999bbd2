package targets_test

import (
	"regexp"
	"strings"
	"testing"

	"kbsyncd/internal/secret"
	"kbsyncd/internal/targets"
)

func TestPlaceOf(t *testing.T) {
	key := secret.New("sk-very-hidden-0123")
	base := targets.PlaceOf(key, "https://api.example.com", "a", "")
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(base) || strings.Contains(base, "sk-") {
		t.Errorf("%q", base)
	}
	if base != targets.PlaceOf(secret.New("sk-very-hidden-0123"), "https://api.example.com", "a", "") {
		t.Error("the same settings give another place")
	}
	for _, other := range []string{
		targets.PlaceOf(secret.New("sk-other"), "https://api.example.com", "a", ""),
		targets.PlaceOf(key, "https://api.example.com", "", "a"),
		targets.PlaceOf(key, "https://api.example.com", "a"),
		targets.PlaceOf(key, "https://api.example.com", `a" "`),
	} {
		if other == base {
			t.Error("other settings give the same place")
		}
	}
}
