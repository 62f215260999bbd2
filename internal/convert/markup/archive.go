package markup

import (
	"archive/zip"
	"bytes"
	"io"
	"path"
	"strings"

	"kbsyncd/internal/fault"
)

// ratioFloor is how much a member may unpack to whatever its ratio: short repetitive parts pack very well.
const ratioFloor = 1 << 20

// Archive reads the members of a zip file by name. Nothing is ever written to disk, so that names are only names; sizes that the file
// declares are never believed. It is for one goroutine.
type Archive struct {
	limits  Limits
	members map[string]*zip.File // by cleaned name in lower case
	names   []string
	left    int64 // of Limits.Unpacked
}

// compound is the beginning of an OLE compound file: the old Office formats, and the new ones behind a password.
var compound = []byte{0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1}

// Damaged says that a document cannot be read as what it claims to be.
func Damaged(err error) error {
	return fault.New(fault.ErrUnsupported, "it is damaged").WithHint("open it in the program that made it and save it again").Because(err)
}

// Protected says that a document is behind a password.
func Protected() error {
	return fault.New(fault.ErrUnsupported, "it is protected by a password").WithHint("save a copy without the password")
}

// OpenArchive reads the directory of a zip file.
func OpenArchive(src []byte, l Limits) (*Archive, error) {
	if bytes.HasPrefix(src, compound) {
		return nil, fault.New(fault.ErrUnsupported, "it is protected by a password or of an old Office format").
			WithHint("save it in the current format without a password")
	}
	z, err := zip.NewReader(bytes.NewReader(src), int64(len(src)))
	if err != nil {
		return nil, Damaged(err)
	}
	if len(z.File) > l.Members {
		return nil, fault.New(fault.ErrUnsupported, "it has %d members, more than %d", len(z.File), l.Members).WithHint("divide the document")
	}
	a := &Archive{limits: l, members: make(map[string]*zip.File, len(z.File)), left: l.Unpacked}
	for _, f := range z.File {
		name := MemberName("", f.Name)
		key := strings.ToLower(name)
		if _, twice := a.members[key]; name == "" || twice || f.FileInfo().IsDir() {
			continue
		}
		a.members[key] = f
		a.names = append(a.names, name)
	}
	return a, nil
}

// MemberName resolves a reference against the member that holds it, as links within an archive are; "" when it leads out of the archive.
func MemberName(from, ref string) string {
	ref = strings.ReplaceAll(ref, `\`, "/")
	if !strings.HasPrefix(ref, "/") {
		ref = path.Join(path.Dir(from), ref)
	}
	ref = path.Clean(strings.TrimLeft(ref, "/"))
	if ref == "." || ref == ".." || strings.HasPrefix(ref, "../") {
		return ""
	}
	return ref
}

// Names are the members in the order of the archive's directory. They are not to be changed.
func (a *Archive) Names() []string { return a.names }

// Has tells whether there is a member of this name; case does not matter.
func (a *Archive) Has(name string) bool {
	_, ok := a.members[strings.ToLower(name)]
	return ok
}

// Read unpacks one member. What it unpacks to counts against the limit of the whole archive, each time it is read.
func (a *Archive) Read(name string) ([]byte, error) {
	f, ok := a.members[strings.ToLower(name)]
	if !ok {
		return nil, fault.New(fault.ErrUnsupported, "it is damaged: it has no %q", name).WithHint("open it in the program that made it and save it again")
	}
	if f.Flags&1 != 0 {
		return nil, Protected()
	}
	r, err := f.Open()
	if err != nil {
		return nil, Damaged(err)
	}
	most := a.left
	if packed := int64(min(f.CompressedSize64, uint64(a.limits.Unpacked))); packed < most/max(a.limits.Ratio, 1) {
		most = min(most, max(packed*a.limits.Ratio, ratioFloor))
	}
	var buf bytes.Buffer
	_, err = buf.ReadFrom(io.LimitReader(r, most+1))
	a.left -= int64(buf.Len())
	// Closing only tells what reading has told.
	_ = r.Close()
	if int64(buf.Len()) > most {
		return nil, fault.New(fault.ErrUnsupported, "it unpacks to more than is safe").WithHint("open it in the program that made it and save it again, or divide it")
	}
	if err != nil {
		return nil, Damaged(err)
	}
	return buf.Bytes(), nil
}
