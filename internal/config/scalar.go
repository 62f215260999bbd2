package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// valueError is what is wrong with a value and what to write instead.
type valueError struct{ msg, hint string }

func (e *valueError) Error() string {
	if e.hint == "" {
		return e.msg
	}
	return e.msg + "; " + e.hint
}

const durationHint = `write a number with a unit, for example "30s", "10m", "1h30m" or "1d"`

// maxDuration keeps sums of durations and times from overflowing.
const maxDuration = 36500 * 24 * time.Hour

var dayPart = regexp.MustCompile(`^(\d{1,6})d(.*)$`)

// ParseDuration reads what time.ParseDuration reads, and days before that: "1d", "1d12h".
func ParseDuration(s string) (time.Duration, error) {
	var days time.Duration
	rest := s
	if m := dayPart.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[1]) // digits only, bounded above
		days, rest = time.Duration(n)*24*time.Hour, m[2]
		if n > int(maxDuration/(24*time.Hour)) {
			return 0, &valueError{"longer than a hundred years", ""}
		}
		if rest == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || (days > 0 && (d < 0 || rest[0] == '+')) {
		if _, numErr := strconv.ParseFloat(s, 64); numErr == nil {
			return 0, &valueError{"no unit", durationHint}
		}
		return 0, &valueError{"not a duration", durationHint}
	}
	if d > maxDuration-days {
		return 0, &valueError{"longer than a hundred years", ""}
	}
	return days + d, nil
}

// formatDuration is the shortest spelling that ParseDuration reads back.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

const sizeHint = `write bytes or a number with a unit, for example 5MB (5,000,000) or 5MiB (5,242,880)`

var (
	sizePattern = regexp.MustCompile(`^([0-9][0-9_]*(?:\.[0-9]+)?) ?([A-Za-z]*)$`)
	sizeUnits   = map[string]float64{
		"": 1, "b": 1,
		"k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
	}
)

// ParseSize reads a number of bytes: 5000000, 5_000_000, 5MB (decimal) or 5MiB (binary).
func ParseSize(s string) (int64, error) {
	m := sizePattern.FindStringSubmatch(s)
	if m == nil {
		return 0, &valueError{"not a size", sizeHint}
	}
	unit, ok := sizeUnits[strings.ToLower(m[2])]
	if !ok {
		return 0, &valueError{fmt.Sprintf("unknown unit %q", m[2]), sizeHint}
	}
	digits := strings.ReplaceAll(m[1], "_", "")
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil && unit == 1 {
		return n, nil
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || f*unit >= 1<<62 {
		return 0, &valueError{"too large a size", sizeHint}
	}
	return int64(math.Round(f * unit)), nil
}

// formatSize is the shortest spelling that ParseSize reads back.
func formatSize(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}} {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// MaxDelete is how many deletions one sync may do without somebody's consent.
type MaxDelete struct {
	// Percent is a share of the sync's documents; it counts unless IsCount is set.
	Percent float64
	// Count is a number of documents; with Default it is the least that is always allowed.
	Count int
	// IsCount says that the file gave a number and not a share.
	IsCount bool
	// Default says that the file gave nothing: Percent of the documents, but at least Count.
	Default bool
}

// Allowed is how many of the given number of documents may be deleted.
func (m MaxDelete) Allowed(documents int) int {
	share := int(m.Percent * float64(documents) / 100)
	switch {
	case m.Default:
		return max(share, m.Count)
	case m.IsCount:
		return m.Count
	}
	return share
}

// String is the value as it could stand in the file.
func (m MaxDelete) String() string {
	if m.IsCount {
		return strconv.Itoa(m.Count)
	}
	s := strconv.FormatFloat(m.Percent, 'f', -1, 64) + "%"
	if m.Default {
		s += fmt.Sprintf(", but at least %d", m.Count)
	}
	return s
}

// UnmarshalText reads "25%" or "100".
func (m *MaxDelete) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	bad := &valueError{"neither a share nor a count", `write a share such as "25%" or a number of documents such as 100`}
	if number, ok := strings.CutSuffix(s, "%"); ok {
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || math.IsNaN(f) {
			return bad
		}
		if f < 0 || f > 100 {
			return &valueError{"out of range 0% to 100%", ""}
		}
		*m = MaxDelete{Percent: f}
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return bad
	}
	if n < 0 {
		return &valueError{"negative", "write 0 to hold every deletion"}
	}
	*m = MaxDelete{Count: n, IsCount: true}
	return nil
}

// schedule is the text of a schedule that ParseSchedule accepts, or "".
type schedule string

// UnmarshalText checks a schedule.
func (s *schedule) UnmarshalText(text []byte) error {
	if len(text) > 0 {
		if _, err := ParseSchedule(string(text)); err != nil {
			return err
		}
	}
	*s = schedule(text)
	return nil
}

// explain splits the error of a value into message and hint.
func explain(err error) (msg, hint string) {
	if v, ok := errors.AsType[*valueError](err); ok {
		return v.msg, v.hint
	}
	return err.Error(), ""
}
