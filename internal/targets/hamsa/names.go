package hamsa

import (
	"strings"

	"kbsyncd/internal/kb"
)

// retiredMark ends the name of an item that is out of use. A name that ends so is not one of ours by its mark, so nobody who
// reads a listing takes the item for a document in use.
const retiredMark = " (retired)"

// retiredName is the name of an item once it is out of use. The readable part is cut where it would be too long, because the mark
// of the document behind it must stay. The name must have one.
func retiredName(name string) string {
	at, _ := markAt(name)
	if over := len(name) + len(retiredMark) - nameChars; over > 0 && at > over {
		stem := strings.ToValidUTF8(name[:at-over], "")
		name = stem + name[at:]
	}
	return name + retiredMark
}

// formerName is what a retired item was called; ok is false for every other item. older is the same name with the digest of no
// version that will ever be sent.
func formerName(name string) (former, older string, ok bool) {
	former, cut := strings.CutSuffix(name, retiredMark)
	at, mark := markAt(former)
	if !cut || at < 0 {
		return "", "", false
	}
	end := at + 1 + len(mark.String())
	for i := range mark.Hash {
		mark.Hash[i] ^= 0xff
	}
	return former, former[:at] + "." + mark.String() + former[end:], true
}

// markAt is where the dot before the mark of a name is; -1 for a name without a mark.
func markAt(name string) (int, kb.Mark) {
	mark, _, ok := kb.ParseName(name)
	if !ok {
		return -1, mark
	}
	dotted := "." + mark.String()
	for at := len(name) - len(dotted); at >= 0; at-- {
		if strings.EqualFold(name[at:at+len(dotted)], dotted) {
			return at, mark
		}
	}
	return -1, mark
}
