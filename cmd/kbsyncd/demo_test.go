package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/daemon"
)

// The verification at the end of the tour sees what the simulators hold, and nothing else.
func TestDemoVerifies(t *testing.T) {
	if testing.Short() {
		t.Skip("two syncs at four vendors")
	}
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: &out, env: func(string) (string, bool) { return "", false }}
	tour, stop, err := a.newTour(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := os.Rename(tour.file("questions.md"), tour.file("faq.md")); err != nil {
		t.Fatal(err)
	}
	if err := tour.verify(); err == nil || !strings.Contains(err.Error(), "agt_phone at starleads: faq.md is there 0 times") {
		t.Errorf("before any sync: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return nil }, "10 documents, not from 9"}, // stock.csv is still there
		{func() error { return os.Remove(tour.file("sales/stock.csv")) }, ""},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if _, err := tour.program.RunOnce(ctx, daemon.Once{}, nil); err != nil {
			t.Fatal(err)
		}
		err := tour.verify()
		if step.want == "" && err != nil || step.want != "" && (err == nil || !strings.Contains(err.Error(), step.want)) {
			t.Errorf("want %q, got %v", step.want, err)
		}
	}
	tour.vendors.hamsa.Give("agt_sales", tour.vendors.hamsa.Held("agt_voice")[0])
	if err := tour.verify(); err == nil || !strings.Contains(err.Error(), "not for this agent") {
		t.Errorf("a document too much: %v", err)
	}
}
