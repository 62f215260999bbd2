package starleads

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/simulator"
	"kbsyncd/internal/targets"
	"kbsyncd/internal/targets/adapter"
	"kbsyncd/internal/targets/targettest"
)

// A vendor that is down is left alone for the rest of the pass.
func TestVendorThatIsDown(t *testing.T) {
	for what, f := range map[string]simulator.Fault{
		"503": {Status: http.StatusServiceUnavailable}, "dropped": {Drop: true}, "429": {Status: http.StatusTooManyRequests},
	} {
		bubble(t, simulator.StarleadsOptions{}, nil, func(t *testing.T, target *Target, sim *simulator.Starleads, _ *targettest.Logs) {
			mustConnect(t, target)
			fails := simulator.Faults{Next: make([]simulator.Fault, 2000)}
			for i := range fails.Next {
				fails.Next[i] = f
			}
			sim.SetFaults(fails)
			send := func(i int) error {
				res, err := target.Upload(t.Context(), []targets.Rendition{rendition(fmt.Sprintf("%d.md", i), "x")})
				if (err != nil) != fault.StopsTarget(err) || err != nil && !errors.Is(res[0].Err, fault.ErrUnavailable) {
					t.Fatalf("%s: %+v, %v", what, res, err)
				}
				if res[0].Err != nil && err == nil {
					return res[0].Err
				}
				return err
			}
			for i := range mostOutages {
				if err := send(i); err == nil || fault.StopsTarget(err) {
					t.Fatalf("%s: %v", what, err)
				}
			}
			before := len(sim.Requests())
			err := send(3)
			_, passing := errors.AsType[*fault.RetryAfter](err)
			if !errors.Is(err, fault.ErrUnavailable) || !passing || errors.Is(err, fault.ErrUnknown) || len(sim.Requests()) != before {
				t.Errorf("%s: %v, %d requests", what, err, len(sim.Requests())-before)
			}
			sim.SetFaults(simulator.Faults{})
			mustConnect(t, target)
			if err := send(4); err != nil {
				t.Errorf("%s: the next pass: %v", what, err)
			}
		})
	}
}

// Refusals and successes show that the vendor is there.
func TestVendorThatIsNotDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		target := fake(t, nil, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodGet:
				_, _ = fmt.Fprint(w, "[]")
			case n%3 == 0:
				w.WriteHeader(http.StatusBadRequest)
			default:
				w.WriteHeader(http.StatusBadGateway)
			}
		})
		for n = range 12 {
			if _, err := target.Upload(t.Context(), []targets.Rendition{rendition("a.md", "x")}); err != nil {
				t.Fatalf("call %d: %v", n, err)
			}
		}
	})
}

// The heads of the parts count as well: a request must stay within the limit as it is sent.
func TestRequestsStayWithinTheLimit(t *testing.T) {
	target := &Target{cfg: *NewConfig()}
	var items []*item
	for i := range 20 {
		r := rendition(fmt.Sprintf("%d.md", i), "")
		r.Size = 5_000_000
		if i%5 == 4 {
			r.Size -= 10 // less than a head
		}
		items = append(items, &item{r: r, res: &targets.Result{}})
	}
	n := 0
	for _, g := range target.groups(items) {
		var parts []adapter.Part
		for _, it := range g {
			parts = append(parts, part(it.r))
		}
		n += len(g)
		if size := adapter.Form(parts...).Size; size > target.Limits().BatchBytes {
			t.Errorf("%d documents make %d bytes", len(g), size)
		}
	}
	if n != len(items) {
		t.Errorf("%d of %d", n, len(items))
	}
}
