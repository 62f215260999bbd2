package chatbase

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
)

func pdf(i int) targets.Rendition {
	r := rendition(fmt.Sprint(i, fileName), fmt.Sprintf("%%PDF-1.7 %060d", i))
	r.MediaType = "application/pdf"
	return r
}

// memory is a targets.Memory.
type memory struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (m *memory) Recall(key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.m[key]), nil
}

func (m *memory) Remember(key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.m == nil {
		m.m = map[string][]byte{}
	}
	m.m[key] = bytes.Clone(value)
	return nil
}

func TestFileForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := pdf(1)
		r.Name, r.MediaType = "a\"b"+fileName, "application/pdf\r\nX-Evil: 1"
		seen := 0
		target, _ := fake(t, nil, func(w http.ResponseWriter, req *http.Request) {
			seen++
			if req.URL.Path != "/files/api/v2/agents/agt_1/sources" || req.Header.Get("Authorization") != "Bearer "+testKey {
				t.Errorf("%s %v", req.URL, req.Header)
			}
			b, _ := io.ReadAll(req.Body)
			if req.ContentLength != int64(len(b)) {
				t.Errorf("Content-Length %d of %d bytes", req.ContentLength, len(b))
			}
			_, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
			if err != nil {
				t.Fatal(err)
			}
			form, err := multipart.NewReader(bytes.NewReader(b), params["boundary"]).ReadForm(1 << 20)
			if err != nil || len(form.Value) != 1 || len(form.File) != 1 || len(form.File["file"]) != 1 {
				t.Fatalf("%+v, %v", form, err)
			}
			file := form.File["file"][0]
			f, _ := file.Open()
			content, _ := io.ReadAll(f)
			if form.Value["name"][0] != r.Name || string(content) != fmt.Sprintf("%%PDF-1.7 %060d", 1) || file.Header.Get("X-Evil") != "" ||
				!strings.HasSuffix(file.Filename, fileName) {
				t.Errorf("%+v %+v %q", form.Value, file, content)
			}
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"data":{"id":"s1","status":"untrained"}}`)
		})
		if res := upload(t, target, r); res.Err != nil || res.ID != "s1" || seen != 1 {
			t.Errorf("%+v", res)
		}
	})
}

// All targets of an account take turns, whatever they send, and a target that is opened anew has not forgotten.
func TestUploadsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, v := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost {
				_, _ = io.WriteString(w, `{"id":"s1","status":"updated"}`)
				return
			}
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":"s1","status":"untrained"}`)
		})
		open := func() *Target {
			opts, _ := testOptions(t, v)
			other, err := target.cfg.open(opts)
			if err != nil {
				t.Fatal(err)
			}
			mustConnect(t, other)
			return other
		}
		other := open()
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() { upload(t, target, pdf(i)) })
			wg.Go(func() { upload(t, other, pdf(10+i)) })
		}
		wg.Go(func() { target.Replace(t.Context(), "s1", pdf(20)) })
		wg.Go(func() { _, _ = other.Rename(t.Context(), "s1", "new "+fileName) })
		upload(t, target, rendition(newName, "text does not wait"))
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("text waited %v", took)
		}
		wg.Wait()
		_ = other.Close()
		again := open()
		upload(t, again, pdf(30))
		_ = again.Close()
		spaced(t, v, 11, 6*time.Second)
	})
}

// spaced checks the distances between requests to the files host.
func spaced(t *testing.T, v *vendor, want int, least time.Duration) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	var at []time.Time
	for i, s := range v.seen {
		if strings.Contains(s, "/files") {
			at = append(at, v.at[i])
		}
	}
	if len(at) != want {
		t.Errorf("%d uploads instead of %d", len(at), want)
	}
	for i := range max(len(at), 1) - 1 {
		if d := at[i+1].Sub(at[i]); d < least {
			t.Errorf("%v between two uploads", d)
		}
	}
}

func TestUploadAfterRestart(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		least time.Duration
	}{
		"a moment ago":    {"", 6 * time.Second},
		"long ago":        {"1000", 0},
		"in a year":       {fmt.Sprint(time.Now().AddDate(100, 0, 0).UnixMilli()), 0},
		"what is no time": {"soon", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := &memory{}
				opts, _ := testOptions(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					fmt.Fprintf(w, `{"id":%q,"status":"untrained"}`, testAgent)
				}))
				opts.Memory = mem
				cfg := testConfig()
				process := func() time.Duration {
					target, err := cfg.open(opts)
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = target.Close() }()
					mustConnect(t, target)
					start := time.Now()
					if res := upload(t, target, pdf(1)); res.Err != nil {
						t.Fatal(res.Err)
					}
					return time.Since(start)
				}
				process()
				for key := range mem.m {
					if strings.Contains(key, testKey) {
						t.Error("the key is in the memory")
					}
					if c.value != "" {
						mem.m[key] = []byte(c.value)
					}
				}
				if len(mem.m) != 1 {
					t.Errorf("%v", mem.m)
				}
				accounts.Lock()
				clear(accounts.byPlace) // as another process
				accounts.Unlock()
				if took := process(); took < c.least || took > c.least+2*time.Second {
					t.Errorf("waited %v", took)
				}
			})
		})
	}
}

// A refused upload begins the vendor's window anew, so nobody of the account tries before it is over.
func TestRefusedUpload(t *testing.T) {
	for name, c := range map[string]struct {
		header, value string
		least         time.Duration
	}{
		"told":     {"Retry-After", "40", 40 * time.Second},
		"not told": {"X-Nothing", "1", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				target, v := fake(t, nil, func(w http.ResponseWriter, _ *http.Request) {
					if first {
						first = false
						w.Header().Set(c.header, c.value)
						w.WriteHeader(http.StatusTooManyRequests)
						return
					}
					w.WriteHeader(http.StatusCreated)
					_, _ = io.WriteString(w, `{"id":"s1"}`)
				})
				var wg sync.WaitGroup
				for i := range 3 {
					wg.Go(func() {
						if res := upload(t, target, pdf(i)); res.Err != nil {
							t.Errorf("%v", res.Err)
						}
					})
				}
				wg.Wait()
				spaced(t, v, 4, 6*time.Second)
				v.mu.Lock()
				defer v.mu.Unlock()
				if d := v.at[2].Sub(v.at[1]); d < c.least || d > c.least+10*time.Second {
					t.Errorf("tried again after %v", d)
				}
			})
		})
	}
}

func TestRefusedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, v := fake(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		start := time.Now()
		res := upload(t, target, pdf(1))
		if r, ok := errors.AsType[*fault.RetryAfter](res.Err); !ok || r.Wait < time.Hour || time.Since(start) > time.Minute || v.count("POST /files/sources") != 1 {
			t.Errorf("after %v, %q: %v", time.Since(start), v.requests(), res.Err)
		}
	})
}

func TestCancelledWhileWaitingForTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, v := fake(t, func(c *Config) { c.UploadEvery = time.Hour }, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"id":"s1"}`)
		})
		upload(t, target, pdf(1))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		res, err := target.Upload(ctx, []targets.Rendition{pdf(2), pdf(3)})
		if !errors.Is(err, context.DeadlineExceeded) || res[0].Err == nil || res[1].Err == nil || time.Since(start) != 3*time.Second || len(v.requests()) != 2 {
			t.Errorf("%+v, %v, %q", res, err, v.requests())
		}
	})
}

func TestFileThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, v := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/sources") {
				_, _ = io.WriteString(w, listOf()[4:])
				return
			}
			_, _ = io.WriteString(w, `{"id":"s1"}`)
		})
		for _, size := range []int64{-1, +1} {
			r := pdf(1)
			r.Size += size
			if res := upload(t, target, r); !errors.Is(res.Err, fault.ErrChanged) {
				t.Errorf("%+d: %+v", size, res)
			}
		}
		r := pdf(2)
		r.Open = func(context.Context) (io.ReadCloser, error) { return nil, fault.New(fault.ErrNotFound, "no such file") }
		if res := upload(t, target, r); !errors.Is(res.Err, fault.ErrNotFound) || fault.StopsTarget(res.Err) {
			t.Errorf("%+v", res)
		}
		if res := target.Replace(t.Context(), "s1", r); !errors.Is(res.Err, fault.ErrChanged) || errors.Is(res.Err, fault.ErrNotFound) {
			t.Errorf("%+v", res)
		}
		if res := upload(t, target, pdf(3)); res.Err != nil || v.count("POST /files/sources") == 0 {
			t.Errorf("%+v", res)
		}
	})
}

// Files against the simulator: everything lands once, in spite of faults, and the limit of the account is kept.
func TestFilesWithFaults(t *testing.T) {
	for name, o := range map[string]simulator.ChatbaseOptions{
		"newest":          {TrainDelay: 2 * time.Second},
		"wrapped":         {WrapData: true, TrainDelay: 20 * time.Second},
		"trained by hand": {Generation: "B"},
		"no retry-after":  {NoRetryAfter: true, ResetSeconds: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o.Seed = 3
				target, b, _ := newPair(t, o, nil)
				mustConnect(t, target)
				odds := map[string]float64{"file_create": 0.1, "file_update": 0.1}
				b.sim.SetFaults(simulator.Faults{Before: odds, After: odds, Cut: odds})
				var all []targets.Rendition
				for i := range 25 {
					all = append(all, pdf(i))
				}
				var ids []targets.RemoteID
				for _, r := range all {
					res := upload(t, target, r)
					if res.Err != nil {
						t.Fatal(res.Err)
					}
					ids = append(ids, res.ID)
				}
				for i, id := range ids {
					all[i].Name = strings.Replace(all[i].Name, "-1111111111", "-2222222222", 1)
					if res := target.Replace(t.Context(), id, all[i]); res.Err != nil {
						t.Fatal(res.Err)
					}
				}
				if r, err := target.Rename(t.Context(), ids[0], "renamed"+all[0].Name); err != nil || r.ID != ids[0] {
					t.Errorf("%+v, %v", r, err)
				}
				all[0].Name = "renamed" + all[0].Name
				docs := b.sim.Documents()
				if len(docs) != len(all) {
					t.Errorf("%d sources", len(docs))
				}
				for i, d := range docs {
					at := slices.Index(ids, targets.RemoteID(d.ID))
					if at < 0 || d.Name != all[at].Name || d.Type != "file" || string(d.Content) != fmt.Sprintf("%%PDF-1.7 %060d", at) {
						t.Errorf("source %d is %+v", i, d)
					}
				}
				if v := b.Violations(); len(v) > 0 {
					t.Errorf("%q", v)
				}
			})
		})
	}
}
