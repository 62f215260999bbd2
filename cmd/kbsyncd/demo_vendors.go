package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kbsyncd/internal/simulator"
)

//go:embed demo
var demoFiles embed.FS

const demoKey = "demo-key"

// demoVendors are the simulated vendors of the demonstration.
type demoVendors struct {
	starleads *simulator.Starleads
	chatbase  *simulator.Chatbase
	hamsa     *simulator.Hamsa
	converse  *simulator.Converse
	all       []demoVendor
}

// demoVendor is one of them, as it is served.
type demoVendor struct {
	name    string
	address string
	simulatedVendor
}

// simulatedVendor is what every simulator can tell about itself.
type simulatedVendor interface {
	simulated
	Requests() []simulator.Request
	ResetRequests()
	Violations() []string
}

// writeSamples puts the sample documents and the configuration into a directory.
func writeSamples(dir string) error {
	files, err := fs.Sub(demoFiles, "demo")
	if err != nil {
		return err
	}
	return os.CopyFS(dir, files)
}

// startDemoVendors serves the vendors, with the agents of the configuration, until stop is called; an interrupted pass still
// needs them.
func startDemoVendors(ctx context.Context) (v demoVendors, stop func(), err error) {
	const delay, latency = 400 * time.Millisecond, 5 * time.Millisecond
	v.starleads = simulator.NewStarleads(simulator.StarleadsOptions{Key: demoKey, ParseDelay: delay, Latency: latency})
	v.starleads.AddAgent("agt_phone")
	v.chatbase = simulator.NewChatbase(simulator.ChatbaseOptions{Key: demoKey, TrainDelay: delay, Latency: latency, Speed: 600})
	v.chatbase.AddAgent("agt_web", "Website")
	v.hamsa = simulator.NewHamsa(simulator.HamsaOptions{Key: demoKey, ProcessDelay: delay, Latency: latency})
	v.hamsa.AddAgent("agt_voice")
	v.hamsa.AddAgent("agt_sales")
	v.converse = simulator.NewConverse(simulator.ConverseOptions{Key: demoKey, IndexDelay: delay, Latency: latency})
	v.converse.AddAgent("agt_calls")

	var stops []func() error
	stop = func() {
		for _, s := range stops {
			_ = s()
		}
	}
	for _, one := range []demoVendor{{"starleads", "", v.starleads}, {"chatbase", "", v.chatbase}, {"hamsa", "", v.hamsa}, {"converse", "", v.converse}} {
		var end func() error
		end, one.address, err = serve(ctx, one)
		if err != nil {
			stop()
			return demoVendors{}, nil, err
		}
		stops = append(stops, func() error { one.Close(); return end() })
		v.all = append(v.all, one)
	}
	return v, stop, nil
}

// serve runs a simulated vendor on a free port of the loopback until stop is called.
func serve(ctx context.Context, h http.Handler) (stop func() error, addr string, err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ready := make(chan string, 1)
	done := make(chan error, 1)
	go func() {
		done <- simulator.ListenAndServe(ctx, net.JoinHostPort("127.0.0.1", "0"), h, func(addr string) { ready <- addr })
	}()
	select {
	case addr = <-ready:
		return func() error { cancel(); return <-done }, "http://" + addr, nil
	case err = <-done:
		cancel()
		return nil, "", err
	}
}

// env gives the variables of the configuration.
func (v demoVendors) env(name string) (string, bool) {
	if name == "DEMO_KEY" {
		return demoKey, true
	}
	for _, one := range v.all {
		if name == "DEMO_"+strings.ToUpper(one.name) {
			return one.address, true
		}
	}
	return "", false
}

func (v demoVendors) addresses() string {
	var ports []string
	for _, one := range v.all {
		ports = append(ports, one.name+" :"+one.address[strings.LastIndexByte(one.address, ':')+1:])
	}
	return "127.0.0.1: " + strings.Join(ports, ", ")
}

func (v demoVendors) forget() {
	for _, one := range v.all {
		one.ResetRequests()
	}
}

// written sums up, in a line for each vendor, what it was asked to change.
func (v demoVendors) written() string {
	var b strings.Builder
	for _, one := range v.all {
		reqs := one.Requests()
		if len(reqs) == 0 {
			continue
		}
		fmt.Fprintf(&b, "   %-9s  %s\n", one.name, writes(reqs))
	}
	if b.Len() == 0 {
		return "   (no requests)\n"
	}
	return b.String()
}

// writes are the requests that change something, with ids left out; equal ones are counted.
func writes(reqs []simulator.Request) string {
	var kinds []string
	times := map[string]int{}
	for _, r := range reqs {
		if r.Method == http.MethodGet {
			continue
		}
		kind := r.Method + " " + shortPath(r.Path)
		if times[kind]++; times[kind] == 1 {
			kinds = append(kinds, kind)
		}
	}
	for i, kind := range kinds {
		if n := times[kind]; n > 1 {
			kinds[i] = fmt.Sprintf("%s ×%d", kind, n)
		}
	}
	return strings.Join(kinds, ", ")
}

// shortPath keeps the words of a path.
func shortPath(path string) string {
	words := strings.Split(filepath.ToSlash(path), "/")
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" || w == "api" || len(w) == 2 && w[0] == 'v' })
	for i, w := range words {
		if len(w) > 3 && strings.ContainsAny(w, "0123456789_") {
			words[i] = "…"
		}
	}
	return strings.Join(words, "/")
}
