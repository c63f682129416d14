package ledger

// What the tests of the canonical forms look at.
var (
	Canonical   = canonical[any]
	Recanonical = recanonical
)

// LeafForTest returns the bytes of a leaf whose parts are all known.
func LeafForTest() []byte {
	r := entryRow{
		ID: "led_1", CustomerID: "cus_1", ServerID: "srv_1", Subject: "run_1", Kind: "backup.finished", ActorKind: "agent", ActorID: "agt_1",
		At: 1795165200000, Data: []byte(`{"bytes":7}`), Commitments: []byte(`{"path":"AAE="}`),
	}
	return leafOf(r, 3, [32]byte{0xab}).bytes()
}

// ParseLeaf reports what is wrong with the bytes of a leaf, and its id.
func ParseLeaf(raw []byte) (id string, err error) {
	l, err := parseLeaf(raw)
	return l.ID, err
}
