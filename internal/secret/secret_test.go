package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"kbsyncd/internal/secret"
)

const value = "sk-very-hidden-0123"

// A secret never prints (P8), however it is wrapped.
func TestStringNeverPrints(t *testing.T) {
	s := secret.New(value)
	type outer struct {
		Exported secret.String
		hidden   secret.String
		Pointer  *secret.String
		Map      map[string]secret.String
		Any      any
	}
	things := map[string]any{
		"value": s, "pointer": &s, "slice": []secret.String{s}, "struct": outer{s, s, &s, map[string]secret.String{"k": s}, s},
		"pointer to struct": &outer{hidden: s}, "in an error": fmt.Errorf("request with %v", s), "joined": errors.Join(fmt.Errorf("%+v", s)),
	}
	for what, thing := range things {
		for verb := range strings.FieldsSeq("%v %+v %#v %s %q %x %X %d %t %T %p %c %U %b %e %10s %-40v %+q %#x") {
			if out := fmt.Sprintf(verb, thing); leaks(out) {
				t.Errorf("%s leaks with %s: %s", what, verb, out)
			}
		}
		if out := fmt.Sprint(thing) + fmt.Sprintln(thing); leaks(out) {
			t.Errorf("%s leaks: %s", what, out)
		}
		if out, _ := json.Marshal(thing); leaks(string(out)) {
			t.Errorf("%s leaks in JSON: %s", what, out)
		}
		if out, _ := xml.Marshal(thing); leaks(string(out)) {
			t.Errorf("%s leaks in XML: %s", what, out)
		}
		for _, handler := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(handler(&b)).With("bound", thing).Info("message", "thing", thing, slog.Group("g", "x", thing))
			if leaks(b.String()) {
				t.Errorf("%s leaks in a log: %s", what, &b)
			}
		}
	}
	text, err := s.MarshalText()
	if err != nil || leaks(string(text)) || s.String() != string(text) {
		t.Errorf("MarshalText: %q, %v", text, err)
	}
}

// leaks looks for the value as it is, and in the encodings that verbs give.
func leaks(out string) bool {
	return strings.Contains(out, value) || strings.Contains(strings.ToLower(out), fmt.Sprintf("%x", value)) ||
		strings.Contains(out, fmt.Sprintf("%d", []byte(value[:6]))[1:10])
}

func TestString(t *testing.T) {
	var zero secret.String
	a, b := secret.New(value), secret.New(value)
	switch {
	case a.Reveal() != value:
		t.Error("the value is lost")
	case !zero.IsZero() || !secret.New("").IsZero() || a.IsZero() || zero.Reveal() != "":
		t.Error("IsZero")
	case !a.Equal(b) || a.Equal(zero) || !zero.Equal(secret.New("")):
		t.Error("Equal")
	}
}
