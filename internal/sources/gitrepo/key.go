package gitrepo

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"syscall"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// readable tells what ssh would only whisper.
func readable(field, file, shown string) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return fault.New(fault.ErrIncomplete, "%s %s cannot be read: %s", field, kb.Printable(shown), plainRun(err)).
			WithHint("correct the path, or let the user kbsyncd runs as read it")
	}
	return f.Close()
}

// usableKey tells what is wrong with a private key before a server is asked, which would only say that it refuses it.
func usableKey(file, shown string) error {
	if err := readable("ssh_key_file", file, shown); err != nil || file == "" {
		return err
	}
	shown = kb.Printable(shown)
	info, err := os.Stat(file)
	if err != nil {
		return readable("ssh_key_file", file, shown)
	}
	if info.IsDir() {
		return fault.New(fault.ErrIncomplete, "ssh_key_file %s is a directory", shown).WithHint("name the file of the private key")
	}
	text := beginning(file)
	what, hint := keyTrouble(text)
	if st, ok := info.Sys().(*syscall.Stat_t); what == "" && ok && int(st.Uid) == os.Getuid() && info.Mode()&0o077 != 0 {
		what, hint = "can be read by other users, so that ssh does not use it", "chmod 600 the file"
	}
	if what != "" {
		return fault.New(fault.ErrIncomplete, "ssh_key_file %s %s", shown, what).WithHint("%s", hint)
	}
	return nil
}

// beginning reads as much of a file as tells what kind of key it is.
func beginning(file string) []byte {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, 1024)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return b[:n]
}

// keyTrouble tells from the beginning of a key why it cannot be used; "" when it can, or nothing is known of it.
func keyTrouble(text []byte) (what, hint string) {
	text = bytes.TrimLeft(text, " \t\r\n\ufeff")
	for _, public := range []string{"ssh-", "ecdsa-", "sk-", "---- BEGIN SSH2 PUBLIC", "-----BEGIN PUBLIC", "-----BEGIN RSA PUBLIC"} {
		if bytes.HasPrefix(text, []byte(public)) {
			return "is the public half of a key", "name the private one, which is the file without .pub"
		}
	}
	if bytes.HasPrefix(text, []byte("PuTTY-User-Key-File")) {
		return "is a key of PuTTY, which ssh does not read", "export it from PuTTYgen as an OpenSSH key"
	}
	body, ssh := bytes.CutPrefix(text, []byte("-----BEGIN OPENSSH PRIVATE KEY-----"))
	if bytes.HasPrefix(text, []byte("-----BEGIN ENCRYPTED")) || bytes.Contains(text, []byte("Proc-Type: 4,ENCRYPTED")) || ssh && encrypted(body) {
		return "has a passphrase, and nobody is here to type it", "use a key without one, or leave ssh_key_file out and load the key into an ssh-agent"
	}
	return "", ""
}

// encrypted reads the name of the cipher, which stands at the beginning of a key of OpenSSH.
func encrypted(body []byte) bool {
	body = bytes.Join(bytes.Fields(body), nil)
	raw := make([]byte, 40)
	n, _ := base64.StdEncoding.Decode(raw, body[:min(len(body), 52)])
	rest, ok := bytes.CutPrefix(raw[:n], []byte("openssh-key-v1\x00"))
	if !ok || len(rest) < 4 {
		return false
	}
	length := binary.BigEndian.Uint32(rest)
	rest = rest[4:]
	return length > uint32(len(rest)) || string(rest[:length]) != "none"
}
