package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"go.yaml.in/yaml/v3"

	"kbsyncd/internal/fault"
)

// maxFile is the greatest size of a configuration file.
const maxFile = 1 << 20

// Where Find looks when neither the flag nor the variable names a file.
var searchPath = []string{"kbsync.yaml", "/etc/kbsync/kbsync.yaml"}

// Find gives the configuration file to use: the one of the flag, else of $KBSYNC_CONFIG, else ./kbsync.yaml,
// else /etc/kbsync/kbsync.yaml. A file that was named is not looked at here; Load says what is wrong with it.
func Find(flag string, env func(string) (string, bool)) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if name, _ := env("KBSYNC_CONFIG"); name != "" {
		return name, nil
	}
	for _, name := range searchPath {
		if _, err := os.Stat(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
	}
	return "", fault.New(fault.ErrSetup, "no configuration: neither ./%s nor %s exists", searchPath[0], searchPath[1]).
		WithHint("write one with `kbsyncd init`, or name it with --config")
}

// Load reads the configuration file at path. Env looks up environment variables, as os.LookupEnv does.
// When anything is wrong with the content the error is a *Problems with everything that is wrong; when the
// file cannot be read it is a *fault.Error of the class ErrSetup.
func Load(path string, env func(string) (string, bool), kinds Kinds) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fault.New(fault.ErrSetup, "%s: %s", path, plainCause(err)).WithHint("write it with `kbsyncd init`, or name another one with --config")
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fault.New(fault.ErrSetup, "%s: %s", path, plainCause(err))
	}
	return parse(path, dir, data, env, kinds)
}

// readFile reads at most one byte more than is allowed.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// parse is Load without the reading: file is the name for messages, dir where relative paths start.
func parse(file, dir string, data []byte, env func(string) (string, bool), kinds Kinds) (*Config, error) {
	d := &decoder{
		collector: &collector{file: file}, env: env, dir: dir, kinds: kinds,
		at: map[string]place{"": {1, 1}}, types: map[string]string{},
		excused: map[string]bool{}, open: map[*yaml.Node]int{},
	}
	root := d.read(data)
	if root == nil {
		return nil, d.err()
	}
	doc := newValue(reflect.TypeFor[document]())
	d.value(root, doc, "", field{})
	cfg := d.build(doc.Addr().Interface().(*document))
	if err := d.err(); err != nil {
		return nil, err
	}
	cfg.File, cfg.Dir = file, dir
	return cfg, nil
}

// read gives the root of the only document in data, or nil after adding a problem.
func (d *decoder) read(data []byte) *yaml.Node {
	if len(data) > maxFile {
		d.add(place{1, 1}, "", "this is probably another file", "larger than 1 MB")
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	first, err := next(dec)
	if err != nil && !errors.Is(err, io.EOF) {
		d.syntax(err, data)
		return nil
	}
	if first == nil || len(first.Content) == 0 || isNull(first.Content[0]) {
		d.add(place{1, 1}, "", "write one with `kbsyncd init`, or start from kbsync.example.yaml", "the file is empty")
		return nil
	}
	switch second, err := next(dec); {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.syntax(err, data)
	default:
		d.add(placeOf(second), "", "keep one document in the file", "a second document begins here (---)")
	}
	return first.Content[0]
}

// next parses one document. The parser is known to panic on some input.
func next(dec *yaml.Decoder) (n *yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			n, err = nil, errors.New("cannot be parsed")
		}
	}()
	n = new(yaml.Node)
	if err := dec.Decode(n); err != nil {
		return nil, err
	}
	return n, nil
}
