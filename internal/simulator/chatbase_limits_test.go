package simulator

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestChatbaseUploadPace(t *testing.T) {
	inBubble(t, ChatbaseOptions{Speed: 600}, func(t *testing.T, r *cbRig) {
		upload := func(i int) reply {
			return r.upload("POST", cbFiles, strconv.Itoa(i), "a.txt", strings.Repeat("x", 60))
		}
		for i := range 25 {
			r.want(201, upload(i))
			if i < 24 {
				time.Sleep(6 * time.Second / 600)
			}
		}
		r.wantNoViolations()
		got := upload(25)
		r.wantCode(429, "RATE_LIMIT_TOO_MANY_REQUESTS", got)
		r.wantViolation("more than 10 file uploads")
		if got.header.Get("Retry-After") != "1" || got.header.Get("X-RateLimit-Limit") != "10" || got.header.Get("X-RateLimit-Remaining") != "0" {
			t.Fatal(got.header)
		}
		if n := len(r.s.Documents()); n != 25 {
			t.Fatal(n)
		}
	})
}

func TestChatbaseHammeringNeverRecovers(t *testing.T) {
	inBubble(t, ChatbaseOptions{UploadsPerMinute: 3}, func(t *testing.T, r *cbRig) {
		upload := func() int {
			return r.upload("POST", cbFiles, "a", "a.txt", strings.Repeat("x", 60)).status
		}
		for i := range 20 {
			want := 201
			if i >= 3 {
				want = 429
			}
			if got := upload(); got != want {
				t.Fatalf("upload %d: %d", i, got)
			}
			time.Sleep(15 * time.Second)
		}
		r.text("a", "texts are no uploads")
		time.Sleep(time.Minute)
		if got := upload(); got != 201 {
			t.Fatal(got)
		}
	})
}

func TestChatbaseRate(t *testing.T) {
	for name, o := range map[string]ChatbaseOptions{
		"milliseconds":   {Rate: 5},
		"seconds":        {Rate: 5, ResetSeconds: true},
		"no Retry-After": {Rate: 5, NoRetryAfter: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, o, func(t *testing.T, r *cbRig) {
				for i := range 5 {
					got := r.call(200, "GET", cbSources, "")
					if left := got.header.Get("X-RateLimit-Remaining"); left != strconv.Itoa(4-i) || got.header.Get("X-RateLimit-Limit") != "5" {
						t.Fatal(got.header)
					}
					time.Sleep(time.Second)
				}
				r.call(200, "GET", "/api/v1/get-chatbots", "")
				got := r.call(429, "GET", cbSources, "")
				if after := got.header.Get("Retry-After"); (after == "5") == o.NoRetryAfter {
					t.Fatal(got.header)
				}
				want := time.Now().Add(5 * time.Second).UnixMilli()
				if o.ResetSeconds {
					want /= 1000
				}
				if reset := got.header.Get("X-RateLimit-Reset"); reset != strconv.FormatInt(want, 10) {
					t.Fatalf("reset %s, want %d", reset, want)
				}
				time.Sleep(5 * time.Second)
				r.call(200, "GET", cbSources, "")
				r.wantNoViolations()
			})
		})
	}
}
