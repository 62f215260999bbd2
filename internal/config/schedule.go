package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

const defaultSchedule = "@every 15m"

const scheduleHint = `write 5 fields such as "*/15 * * * *", or @hourly, @daily, "@every 10m"`

// cronField is one of the five fields of a cron line.
type cronField struct {
	name   string
	lo, hi int
	names  []string // names of the values from lo on
	note   string
}

var cronFields = []cronField{
	{name: "minute", lo: 0, hi: 59},
	{name: "hour", lo: 0, hi: 23},
	{name: "day of month", lo: 1, hi: 31},
	{name: "month", lo: 1, hi: 12, names: strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")},
	{name: "day of week", lo: 0, hi: 6, names: strings.Fields("sun mon tue wed thu fri sat"), note: " (0 is Sunday)"},
}

var descriptors = []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}

// ParseSchedule reads a schedule: five cron fields, optionally after "TZ=Area/City ", a descriptor such as
// @hourly, or "@every DURATION". What it returns fires at least once. The error does not repeat the text.
func ParseSchedule(spec string) (s cron.Schedule, err error) {
	// The cron parser panics on some input; whatever it does not foresee must stay an error of this one value.
	defer func() {
		if recover() != nil {
			s, err = nil, badSchedule("cannot be read")
		}
	}()
	zone, rest, err := cutZone(spec)
	if err != nil {
		return nil, err
	}
	if every, ok := strings.CutPrefix(rest, "@every"); ok {
		return parseEvery(strings.TrimSpace(every))
	}
	if strings.HasPrefix(rest, "@") {
		if !slices.Contains(descriptors, rest) {
			return nil, &valueError{"unknown descriptor", didYouMean(rest, append(slices.Clone(descriptors), "@every"), "known are ")}
		}
	} else if err := checkFields(strings.Fields(rest)); err != nil {
		return nil, err
	}
	s, err = cron.ParseStandard(zone + rest)
	if err != nil {
		return nil, badSchedule("cannot be read")
	}
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, &valueError{"never fires", "no such day exists in any of these months"}
	}
	return s, nil
}

func badSchedule(format string, args ...any) error {
	return &valueError{fmt.Sprintf(format, args...), scheduleHint}
}

// quoted is text of the user, short enough for a message.
func quoted(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:57]) + "..."
	}
	return strconv.Quote(s)
}

func cutZone(spec string) (zone, rest string, err error) {
	rest = strings.TrimSpace(spec)
	if !strings.HasPrefix(rest, "TZ=") && !strings.HasPrefix(rest, "CRON_TZ=") {
		return "", rest, nil
	}
	zone, rest, _ = strings.Cut(rest, " ")
	rest = strings.TrimSpace(rest)
	_, name, _ := strings.Cut(zone, "=")
	if _, err := time.LoadLocation(name); err != nil || name == "" {
		return "", "", &valueError{"time zone " + quoted(name) + " is not known", `write an IANA name, for example "TZ=Europe/Berlin 0 6 * * *"`}
	}
	if rest == "" {
		return "", "", badSchedule("a time zone alone is no schedule")
	}
	return zone + " ", rest, nil
}

func parseEvery(every string) (cron.Schedule, error) {
	d, err := ParseDuration(every)
	if err != nil {
		msg, hint := explain(err)
		return nil, &valueError{quoted(every) + ": " + msg, hint}
	}
	if d < time.Second {
		return nil, &valueError{"shorter than a second", `write a longer interval, for example "@every 10m"`}
	}
	return cron.Every(d), nil
}

func checkFields(fields []string) error {
	if len(fields) != len(cronFields) {
		return badSchedule("has %d fields instead of 5 (minute, hour, day of month, month, day of week)", len(fields))
	}
	for i, f := range cronFields {
		for part := range strings.SplitSeq(fields[i], ",") {
			if msg := f.check(part); msg != "" {
				return &valueError{msg, ""}
			}
		}
	}
	return nil
}

// check says what is wrong with one element of a field: value, range, "*" or "?", each with an optional step.
func (f cronField) check(part string) string {
	span, step, stepped := strings.Cut(part, "/")
	if stepped {
		n, err := strconv.Atoi(step)
		switch {
		case err != nil || n < 1:
			return fmt.Sprintf("%s step %s is not a positive number", f.name, quoted(step))
		case n > f.hi-f.lo+1:
			return fmt.Sprintf("%s step %d is larger than the range %d-%d", f.name, n, f.lo, f.hi)
		}
	}
	if span == "*" || span == "?" {
		return ""
	}
	low, high, ranged := strings.Cut(span, "-")
	a, msg := f.value(low)
	if msg != "" {
		return msg
	}
	if !ranged {
		return ""
	}
	b, msg := f.value(high)
	if msg == "" && a > b {
		return fmt.Sprintf("%s range %s runs backwards", f.name, quoted(span))
	}
	return msg
}

func (f cronField) value(s string) (n int, msg string) {
	if i := slices.Index(f.names, strings.ToLower(s)); i >= 0 {
		return f.lo + i, ""
	}
	n, err := strconv.Atoi(s)
	if err != nil || s[0] == '+' {
		return 0, fmt.Sprintf("%s %s is not a number", f.name, quoted(s))
	}
	if n < f.lo || n > f.hi {
		return 0, fmt.Sprintf("%s %d is out of range %d-%d%s", f.name, n, f.lo, f.hi, f.note)
	}
	return n, ""
}
