package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kbsyncd/internal/secret"
)

// A limit that says only when it begins anew is waited for, whatever the unit; Retry-After counts for more.
func TestRateLimitReset(t *testing.T) {
	for name, c := range map[string]struct {
		reset      func(now time.Time) string
		retryAfter string
		least      time.Duration
	}{
		"seconds":             {reset: func(now time.Time) string { return fmt.Sprint(now.Add(30 * time.Second).Unix()) }, least: 30 * time.Second},
		"milliseconds":        {reset: func(now time.Time) string { return fmt.Sprint(now.Add(30 * time.Second).UnixMilli()) }, least: 30 * time.Second},
		"retry-after first":   {reset: func(now time.Time) string { return fmt.Sprint(now.Add(time.Hour).Unix()) }, retryAfter: "9", least: 9 * time.Second},
		"past":                {reset: func(now time.Time) string { return fmt.Sprint(now.Add(-time.Hour).Unix()) }},
		"no number":           {reset: func(time.Time) string { return "soon" }},
		"not a number at all": {reset: func(time.Time) string { return "NaN" }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				headers := []string{"X-RateLimit-Reset", c.reset(time.Now())}
				if c.retryAfter != "" {
					headers = append(headers, "Retry-After", c.retryAfter)
				}
				s := &script{steps: []http.HandlerFunc{say(429, "", headers...), say(200, "{}")}}
				cl := client(t, s.ServeHTTP, nil)
				start := time.Now()
				if _, err := cl.Do(t.Context(), get, nil); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took < c.least || took > c.least+3*time.Second {
					t.Errorf("repeated after %v", took)
				}
			})
		})
	}
}

// Only a 429 speaks of the limit; the header comes with every answer.
func TestResetOfAnotherStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []http.HandlerFunc{say(503, "", "X-RateLimit-Reset", fmt.Sprint(time.Now().Add(time.Minute).Unix())), say(200, "{}")}}
		start := time.Now()
		if _, err := client(t, s.ServeHTTP, nil).Do(t.Context(), get, nil); err != nil || time.Since(start) > 5*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestCodeOfAnError(t *testing.T) {
	const shouting = "SECRET_KEY_0123456789"
	synctest.Test(t, func(t *testing.T) {
		for body, want := range map[string]string{
			`{"error":{"code":"SOURCE_IS_TRAINING","message":"wait"}}`: "SOURCE_IS_TRAINING",
			`{"code":"NOT_HERE","message":"x"}`:                        "NOT_HERE",
			`{"error":{"code":"IN","x":1},"code":"OUT"}`:               "IN",
			`{"error":"flat","code":"OUT"}`:                            "OUT",
			`{"code":404}`:                                             "",
			`{"error":{"code":"two words"}}`:                           "",
			`{"error":{"code":"` + shouting + `"}}`:                    "",
			`{"error":{"code":"` + strings.Repeat("A", 200) + `"}}`:    "",
			`[{"code":"A_B"}]`:                                         "",
			`<html>`:                                                   "",
			``:                                                         "",
		} {
			c := client(t, say(409, body), func(o *Options) { o.Key = secret.New(shouting) })
			_, err := c.Do(t.Context(), get, nil)
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != want {
				t.Errorf("%s: %q, %v", body, e.Code, err)
			}
		}
		_, err := client(t, say(200, `{"error":{"code":"SOURCE_IS_TRAINING","message":"wait"}}`), nil).Do(t.Context(), get, nil)
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != "SOURCE_IS_TRAINING" {
			t.Errorf("in a 200: %v", err)
		}
	})
}

func TestRequestIDIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := client(t, say(200, "{}", "X-Request-Id", "req-17 "+key), func(o *Options) {
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		if _, err := c.Do(t.Context(), get, nil); err != nil {
			t.Fatal(err)
		}
		if s := log.String(); !strings.Contains(s, "req-17") || strings.Contains(s, key) {
			t.Error(s)
		}
	})
}
