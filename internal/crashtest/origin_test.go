package crashtest

// origin is where the program finds the documents of a tree.
type origin interface {
	// source is its part of the configuration, in braces.
	source() string
	// environment is what the program is given for it, and secrets is what of that must not show up anywhere.
	environment() []string
	secrets() []string
	// kinds are the requests to it that a trap can wait for.
	kinds() []kind
	// publish offers what the tree is now. It happens at once: no look sees half of it.
	publish()
	// upset chooses the trouble of one pass, or none.
	upset() upset
	// calm ends the trouble of a pass, and settle ends everything that would take more than two passes to be believed.
	calm()
	settle()
	// excess says what was asked since the last call that a pass with nothing to do need not ask; "" when nothing.
	excess() string
}

// upset is what is wrong with a source during one pass.
type upset struct {
	what  string // for people; "" when nothing is wrong
	where string // the same, more exactly
	fails bool   // no listing can be complete
	held  bool   // the listing is complete and lacks so much that deletions need consent
}

// folder is the tree itself.
type folder struct{}

func (folder) source() string        { return "type: folder, path: ./docs" }
func (folder) environment() []string { return nil }
func (folder) secrets() []string     { return nil }
func (folder) kinds() []kind         { return nil }
func (folder) publish()              {}
func (folder) upset() upset          { return upset{} }
func (folder) calm()                 {}
func (folder) settle()               {}
func (folder) excess() string        { return "" }
