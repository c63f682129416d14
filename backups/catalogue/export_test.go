package catalogue

// Small has a catalogue cut its blocks after so many bytes, and merge segments
// of few events for their size only.
func Small(c *Catalogue, block int) *Catalogue {
	c.bounds = bounds{block: block, small: 1}
	return c
}

// SmallBlocks has a listing cut its blocks after so many bytes.
func (o ListingOptions) SmallBlocks(block int) ListingOptions {
	o.block = block
	return o
}
