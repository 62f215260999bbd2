package pdf

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

func TestDividedWords(t *testing.T) {
	for in, want := range map[string]string{
		"in-\nter-\nnational":                   "international",
		"well-known things\na well-\nknown man": "well-known things\na well-known man",
		"Saint-\nDenis":                         "Saint-\nDenis",
		"1-\n2":                                 "1-\n2",
		"ends-":                                 "ends-",
		"op\u00ADtional":                        "optional",
		"A\u00ADB":                              "A-B",
		"end\u00AD":                             "end-",
		"x\u00ADy\u00ADz":                       "xyz",
		"a\n\nb-\n c d-\n e":                    "a\n\nbc de",
		"é\u00AD\u00ADb":                        "éb",
	} {
		got, err := join(t.Context(), []string{in}, markup.DefaultLimits())
		if err != nil && in != "1-\n2" || string(got) != want+"\n" {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}

// TestManyDividedWords reads in a moment what takes hours when each joining copies the line.
func TestManyDividedWords(t *testing.T) {
	for _, unit := range []string{"ab-\n", "ab\u00AD", "ab\u00AD\n", "ab cd-\n"} {
		begin := time.Now()
		got, err := join(t.Context(), []string{strings.Repeat(unit, 200_000)}, markup.DefaultLimits())
		if err != nil || len(got) < 400_000 {
			t.Errorf("%q: %d bytes, %v", unit, len(got), err)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%q: it took %s", unit, took)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := join(ctx, []string{"a"}, markup.DefaultLimits()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestLigaturesOfSentences refuses a text that grows by its ligatures, of which one is 18 letters.
func TestLigaturesOfSentences(t *testing.T) {
	l := markup.DefaultLimits()
	l.Output = 10_000
	if _, err := join(t.Context(), []string{strings.Repeat("\uFDFA", 1000)}, l); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	if got := plain(strings.Repeat("\uFDFA", 1000), 10_000); len(got) > 10_100 {
		t.Errorf("got %d bytes", len(got))
	}
}
