package state

import (
	"encoding/binary"
	"reflect"
	"testing"

	"kbsyncd/internal/kb"
)

// old encodes a record as format 1 did.
func old(k kb.Key, flags byte, fp string, rest []byte) []byte {
	b := append([]byte{format1 | flags, 1, byte(len(fp))}, fp...)
	b = append(b, rest...)
	return binary.LittleEndian.AppendUint32(b, checksum(string(k), b))
}

// Records of the first format are read as they were meant.
func TestFormat1(t *testing.T) {
	var content kb.Digest
	content[0] = 7
	part := func(hash byte, id string) []byte {
		b := append([]byte{hash, 0, 0, 0, 0, 3}, ".md"...)
		return appendID(b, id)
	}
	two := append(append(append([]byte{}, content[:]...), 2<<1), part(1, "a")...)
	two = append(append(two, part(2, "bb")...), 1)
	two = appendID(two, "old")
	one := append(append(append([]byte{}, content[:]...), 1<<1|1), part(3, "c")...)
	one = append(one, 0)
	for name, c := range map[string]struct {
		value []byte
		want  Record
	}{
		"parts": {old("s/a", flagSettled|flagRetiring, "fp", two), Record{
			Fingerprint: "fp", Content: content, Convert: 1, Settled: true, Retire: []string{"old"},
			Parts: []Part{{ID: "a", N: 1, Hash: kb.PartHash{1}, Ext: ".md"}, {ID: "bb", N: 2, Hash: kb.PartHash{2}, Ext: ".md"}},
		}},
		"whole":   {old("s/a", 0, "fp", one), Record{Fingerprint: "fp", Content: content, Convert: 1, Whole: true, Parts: []Part{{ID: "c", Hash: kb.PartHash{3}, Ext: ".md"}}}},
		"skipped": {old("s/a", flagSkipped, "fp", []byte("why")), Record{Fingerprint: "fp", Convert: 1, Skipped: "why"}},
	} {
		got, err := DecodeRecord("s/a", c.value)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		again, err := DecodeRecord("s/a", AppendRecord(nil, "s/a", got))
		if err != nil || !reflect.DeepEqual(again, c.want) {
			t.Errorf("%s, in the present format: %+v, %v", name, again, err)
		}
	}
}

// A version that was refused and the one before stand in one record, and so do the agents that a document names.
func TestRecordForms(t *testing.T) {
	part := Part{ID: "a", N: 4, Hash: kb.PartHash{1}, Ext: ".md"}
	for _, r := range []Record{
		{Fingerprint: "fp", Convert: 2, Skipped: "why"},
		{Fingerprint: "fp", Convert: 2, Skipped: "why", Parts: []Part{part}},
		{Fingerprint: "fp", Convert: 2, Skipped: "why", Settled: true, Parts: []Part{part}, Retire: []string{"x"}},
		{Fingerprint: "fp", Convert: 2, Narrowed: true, Parts: []Part{part}},
		{Fingerprint: "fp", Convert: 2, Narrowed: true, Agents: []string{"a", "0af3"}, Parts: []Part{part, {ID: "b", N: 1, Ext: ".md"}}},
	} {
		got, err := DecodeRecord("s/a", AppendRecord(nil, "s/a", r))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v became %+v, %v", r, got, err)
		}
	}
}
