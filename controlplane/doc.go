// Package controlplane holds the nouns that every other package shares: ids,
// actors, errors, instants. It imports the standard library only.
//
// # A tour of the house, from the ground up
//
// db opens SQLite or PostgreSQL and gives out transactions: Write is
// serializable and may run again, Read sees one snapshot, Claim takes rows that
// nobody else holds. Each has one Now; SQL never asks for the time.
//
// secrets keeps keys: a data key for each customer, under a key-encryption key
// in a file, or in Vault; look-ups of sealed values go by keyed hash. policy says which role
// may do what and mints the Scope without which no slice hands out a
// customer's rows. bus carries the names of things that changed, never data.
//
// ledger is the tamper-evident log. A change appends its entry in its own
// transaction; one sequencer puts entries into a Merkle tree and signs
// checkpoints; Verify names the first entry that does not match.
//
// jobs carries every outside effect: queued in the transaction that wants it,
// taken by the plane itself or by the agent of a server, in the order of its
// resource, at most once where that matters. What a job's end means is stored
// in the transaction that ends it.
//
// customers, identity and findings are what every slice needs: who lives on
// which server, who is signed in, and what needs a person. mail tells people:
// its bytes are fixed before the first try, and what is known of each delivery,
// and what is not, is kept as evidence.
//
// Slices own one noun each: agents (servers that have enrolled, presence,
// inventory), backups (plans, snapshots, restores), certs (certificates, from a
// name to what a handshake shows), access (who can reach which customer's
// servers: granted, enforced, and possible), sessions (what our people did there:
// recorded, reviewed, and who looked at it), incidents (who must be told of a
// breach, by when, and that they were). They do not import each other. Engines do one
// thing with one outside program and know no customer: backups/restic runs
// restic, certs/acme talks to certificate authorities, certs/deploy installs on
// the host, teleport asks a cluster who reaches what and keeps roles and locks
// there, signer signs what hosts are asked to do.
//
// agents/wire is the protocol of the hosts, agents/host the other side of it:
// the agent verifies a job's signature and its own policy, writes the job to
// its journal, and only then starts it.
//
// server and web translate: HTTP to one slice call and back. cmd wires.
//
// # One change, all the way down
//
// A customer asks for a file. web binds the form and calls
// backups.StartDownload with the Scope that policy minted for them. One
// transaction stores the restore, its ledger entry and an agent job. After the
// commit the bus wakes the session of that server's agent; the job is signed,
// offered, journalled on the host, and started. restic reads the file into a
// private folder; the host sends it in chunks, which are sealed here. The
// result ends the job; in that transaction a job of the plane is queued that
// reads the chunks back and compares SHA-256; its end makes the file ready and
// enters it in the ledger. Wherever a process is killed, the next one goes on
// from what is stored.
//
// Start reading at db.DB.Write, then ledger.Append, jobs.Enqueue, and
// backups.Service.
package controlplane
