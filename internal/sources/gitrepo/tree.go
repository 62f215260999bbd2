package gitrepo

// tree is a directory of a commit.
type tree struct {
	entries []treeEntry
	bytes   int64
	index   map[string]int // made when it is needed
}

// find gives the entry with a name, or nil.
func (t *tree) find(name string) *treeEntry {
	if t.index == nil {
		t.index = make(map[string]int, len(t.entries))
		for i := range t.entries {
			if _, twice := t.index[t.entries[i].name]; !twice {
				t.index[t.entries[i].name] = i
			}
		}
	}
	if i, ok := t.index[name]; ok {
		return &t.entries[i]
	}
	return nil
}

// kept holds what may be needed again, within a bound of bytes.
type kept[T any] struct {
	items map[string]T
	bytes int64
}

// perKept is what an item costs besides its bytes.
const perKept = 200

func (k *kept[T]) get(id string) (T, bool) {
	item, ok := k.items[id]
	return item, ok
}

// put keeps an item. When there is no room, all others go.
func (k *kept[T]) put(id string, item T, bytes, most int64) {
	bytes += perKept
	if bytes > most {
		return
	}
	if k.items == nil || k.bytes+bytes > most {
		k.items, k.bytes = map[string]T{}, 0
	}
	k.items[id] = item
	k.bytes += bytes
}

// bounds keep a walk within what a machine bears; a repository of a few kilobytes can hold more than that.
type bounds struct {
	visited, deep     int   // entries, and directories below each other
	names, open, read int64 // bytes: of what is listed, of the directories being listed, of all directories read
}
