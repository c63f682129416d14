package access

// counted are those on lines, each once: persons, and what nobody is known to be
// behind, which is one however many servers it is on.
type counted struct{ persons, unnamed map[string]bool }

func (c *counted) add(k lineKey) {
	if c.persons == nil {
		c.persons, c.unnamed = map[string]bool{}, map[string]bool{}
	}
	if k.person != "" {
		c.persons[k.person] = true
		return
	}
	c.unnamed[k.unknown] = true
}
