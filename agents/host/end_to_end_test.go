package host_test

import (
	"archive/zip"
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/agents/host"
	"ostler/agents/host/helper"
	"ostler/agents/wire"
	"ostler/backups/catalogue"
)

// tool returns the path of a built tool.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("OSTLERTEST_BIN"), "../../.bin"} {
		if p, err := filepath.Abs(filepath.Join(dir, name)); dir != "" && err == nil {
			if _, err := os.Stat(p); err == nil {
				return p
			}
		}
	}
	t.Fatalf("%s is not built; run: make tools", name)
	return ""
}

// restServer is a real rest-server with TLS, append-only, private repositories.
type restServer struct {
	t        *testing.T
	dir, url string
	pin      string
	cmd      *exec.Cmd
}

func newRestServer(t *testing.T) *restServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &restServer{t: t, dir: t.TempDir(), url: "https://" + l.Addr().String()}
	_ = l.Close()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "store"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err1 := x509.ParseCertificate(der)
	keyDER, err2 := x509.MarshalPKCS8PrivateKey(key)
	err = errors.Join(err1, err2,
		os.WriteFile(filepath.Join(s.dir, "cert"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(s.dir, "key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	s.pin = hex.EncodeToString(sum[:])
	return s
}

// start runs it with one user.
func (s *restServer) start(user, hash string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "htpasswd"), []byte(user+":"+hash+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	addr := strings.TrimPrefix(s.url, "https://")
	s.cmd = exec.Command(tool(s.t, "rest-server"), "--path", filepath.Join(s.dir, "data"), "--listen", addr, "--tls", "--no-auth=false",
		"--tls-cert", filepath.Join(s.dir, "cert"), "--tls-key", filepath.Join(s.dir, "key"),
		"--append-only", "--private-repos", "--htpasswd-file", filepath.Join(s.dir, "htpasswd"))
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.stop)
	waitFor(s.t, "rest-server", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func (s *restServer) stop() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// The whole way of a file with the real restic and the real rest-server: made
// on the host, backed up, lost, listed, downloaded, put back.
func TestHostEndToEnd(t *testing.T) {
	store := newRestServer(t)
	r := newRig(t, nil)
	r.opts = func(o *host.Options) { o.StoreIdle, o.StoreStall = 10*time.Second, 20*time.Second }
	h, err := helper.NewLocal(helper.Options{State: r.state, Root: r.root, Restic: tool(t, "restic")})
	if err != nil {
		t.Fatal(err)
	}
	r.helper = h
	odd := "a\n\u202eb\xff.txt"
	big := bytes.Repeat([]byte("0123456789abcdef"), 600<<10) // more than one chunk
	err = errors.Join(os.MkdirAll(filepath.Join(r.root, "srv/www"), 0o755), os.MkdirAll(filepath.Join(r.root, "etc"), 0o755),
		os.WriteFile(filepath.Join(r.root, "srv/www/index.html"), []byte("hello\n"), 0o644),
		os.WriteFile(filepath.Join(r.root, "srv/www", odd), []byte("odd\n"), 0o600),
		os.WriteFile(filepath.Join(r.root, "srv/www/big"), big, 0o640),
		os.Chmod(filepath.Join(r.root, "srv/www/big"), 0o640|fs.ModeSetuid),
		os.WriteFile(filepath.Join(r.root, "etc/os-release"), []byte("PRETTY_NAME=\"Debian 12\"\nID=debian\n"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	r.start()

	repo := wire.Repository{ID: "rep_1", StoreURL: store.url, StorePin: store.pin, User: "host1", Name: "shop"}
	run := func(a wire.Action, p any) wire.Result {
		t.Helper()
		job := "job_" + strings.ReplaceAll(string(a), ".", "_") + hex.EncodeToString(randomBytes(4))
		r.plane.Offer(wire.Envelope{Job: job, Action: a, Resource: "repository:rep_1", Params: params(t, p)})
		return r.plane.Result(job)
	}
	good := func(a wire.Action, p any) wire.Result {
		t.Helper()
		res := run(a, p)
		if res.Outcome != wire.Succeeded {
			t.Fatalf("%s: got %s %+v\n%s", a, res.Outcome, res.Failure, r.logs)
		}
		return res
	}

	inv := decode[wire.Inventory](t, good(wire.ActionInventory, wire.InventoryParams{}).Data)
	if inv.OS != "Debian 12" || inv.ResticVersion == "" || len(inv.Disks) == 0 || inv.Packages != -1 || len(inv.Simulated) == 0 {
		t.Errorf("inventory: got %+v", inv)
	}

	reveal, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	prepare := wire.RepoPrepareParams{Repository: repo, RevealKey: reveal.PublicKey().Bytes()}
	prepared := decode[wire.RepoPrepared](t, good(wire.ActionRepoPrepare, prepare).Data)
	again := decode[wire.RepoPrepared](t, good(wire.ActionRepoPrepare, prepare).Data)
	if prepared.StoreHash != again.StoreHash || prepared.KeyFingerprint != again.KeyFingerprint {
		t.Error("preparing again made other passwords")
	}
	password, err := hpke.Open(reveal, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(wire.HPKEInfo+repo.ID), prepared.RevealSealed)
	if err != nil || wire.KeyFingerprint(string(password)) != prepared.KeyFingerprint {
		t.Fatalf("revealed key: %v", err)
	}

	// Before the store knows the host.
	store.start("somebody", prepared.StoreHash)
	if got := run(wire.ActionRepoInit, wire.RepoInitParams{Repository: repo}); got.Failure == nil || got.Failure.Cause != wire.CauseStoreRefused {
		t.Fatalf("init with unknown user: got %+v %+v", got.Outcome, got.Failure)
	}
	store.stop()
	store.start("host1", prepared.StoreHash)
	if got := run(wire.ActionBackup, wire.BackupParams{Repository: repo, Paths: []string{"/srv"}}); got.Failure == nil || got.Failure.Cause != wire.CauseNoRepository {
		t.Fatalf("backup before init: got %+v %+v", got.Outcome, got.Failure)
	}
	first := decode[wire.RepoInitialised](t, good(wire.ActionRepoInit, wire.RepoInitParams{Repository: repo}).Data)
	second := decode[wire.RepoInitialised](t, good(wire.ActionRepoInit, wire.RepoInitParams{Repository: repo}).Data)
	if !first.Created || second.Created || first.ResticID != second.ResticID {
		t.Errorf("init: got %+v, then %+v", first, second)
	}
	if got := run(wire.ActionRepoPrepare, prepare); got.Failure == nil || got.Failure.Cause != wire.CausePolicy || strings.Contains(string(got.Data), "sealed") {
		t.Errorf("sealing the password of a repository in use to another key: got %+v %+v %s", got.Outcome, got.Failure, got.Data)
	}

	backup := decode[wire.BackupResult](t, good(wire.ActionBackup, wire.BackupParams{Repository: repo, Paths: []string{"/srv/www"}, Tags: []string{"plan:1"}}).Data)
	if backup.Outcome != wire.BackupComplete || backup.TotalFiles != 3 || len(backup.SnapshotID) != 64 {
		t.Fatalf("backup: got %+v", backup)
	}

	list := decode[wire.Listing](t, good(wire.ActionList, wire.ListParams{Repository: repo, SnapshotID: backup.SnapshotID, Path: []byte("/srv/www"), Limit: 10}).Data)
	found := false
	for _, n := range list.Nodes {
		found = found || string(n.Name) == odd
	}
	if !list.Found || len(list.Nodes) != 3 || !found {
		t.Errorf("listing: got %+v", list)
	}

	if err := os.Remove(filepath.Join(r.root, "srv/www/big")); err != nil {
		t.Fatal(err)
	}
	res := good(wire.ActionDownload, wire.DownloadParams{Repository: repo, SnapshotID: backup.SnapshotID, Path: []byte("/srv/www/big")})
	down := decode[wire.DownloadResult](t, res.Data)
	got, _ := r.plane.File(res.Job)
	sum := sha256.Sum256(big)
	if !bytes.Equal(got, big) || down.SHA256 != hex.EncodeToString(sum[:]) || down.Chunks != 2 {
		t.Errorf("download: got %+v of %d bytes", down, len(got))
	}
	oddRes := good(wire.ActionDownload, wire.DownloadParams{Repository: repo, SnapshotID: backup.SnapshotID, Path: []byte("/srv/www/" + odd)})
	if got, _ := r.plane.File(oddRes.Job); string(got) != "odd\n" {
		t.Errorf("odd name: got %q", got)
	}
	missing := run(wire.ActionDownload, wire.DownloadParams{Repository: repo, SnapshotID: backup.SnapshotID, Path: []byte("/srv/www/none")})
	if missing.Failure == nil || missing.Failure.Cause != wire.CauseNotFound {
		t.Errorf("missing file: got %+v", missing.Failure)
	}

	zipped := good(wire.ActionArchive, wire.ArchiveParams{Format: wire.ArchiveZip,
		Selections: []wire.Selection{{Repository: repo, SnapshotID: backup.SnapshotID, Paths: [][]byte{[]byte("/srv/www")}}}})
	packed := decode[wire.ArchiveResult](t, zipped.Data)
	if packed.Files != 3 || packed.Folders != 1 || packed.MissingCount != 0 {
		t.Errorf("archive: got %+v", packed)
	}
	up, _ := r.plane.File(zipped.Job)
	z, err := zip.NewReader(bytes.NewReader(up), int64(len(up)))
	if err != nil || len(z.File) != 6 || z.File[0].Name != "ostler-manifest.json" || z.File[3].Name != "srv/www/a%0A%E2%80%AEb%FF.txt" {
		t.Fatalf("archive: got %+v, %v", z, err)
	}
	if f, err := z.Open("srv/www/big"); err != nil {
		t.Error(err)
	} else if b, err := io.ReadAll(f); err != nil || !bytes.Equal(b, big) {
		t.Errorf("archive: got %d bytes of the file, %v", len(b), err)
	}
	listed := good(wire.ActionCatalogue, wire.CatalogueParams{Repository: repo, SnapshotID: backup.SnapshotID})
	if c := decode[wire.CatalogueResult](t, listed.Data); c.Entries != 5 || len(c.Snapshots) != 1 || c.Snapshots[0] != backup.SnapshotID {
		t.Errorf("catalogue: got %+v", c)
	}
	up, _ = r.plane.File(listed.Job)
	entries := 0
	for l := catalogue.ReadListing(bytes.NewReader(up)); ; entries++ {
		if _, err := l.Next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if entries != 5 {
		t.Errorf("catalogue: got %d entries", entries)
	}

	put := wire.PutBackParams{Repository: repo, SnapshotID: backup.SnapshotID, Path: []byte("/srv/www/big"), TargetName: []byte("big (restored)"), Bounds: []string{"/srv/www"}}
	back := decode[wire.PutBackResult](t, good(wire.ActionPutBack, put).Data)
	if string(back.Path) != "/srv/www/big (restored)" || back.SHA256 != down.SHA256 {
		t.Errorf("put back: got %+v", back)
	}
	info, err := os.Stat(filepath.Join(r.root, "srv/www/big (restored)"))
	if err != nil || info.Mode() != 0o640 || info.Size() != int64(len(big)) {
		t.Errorf("put back: got %v, %v", info, err)
	}
	if got := run(wire.ActionPutBack, put); got.Failure == nil || got.Failure.Cause != wire.CauseExists {
		t.Errorf("put back again: got %+v", got.Failure)
	}
	for _, dir := range []string{"staging", "helper/tmp", "helper/restores"} {
		if entries, err := os.ReadDir(filepath.Join(r.state, dir)); err != nil || len(entries) != 0 {
			t.Errorf("%s: left %v, %v", dir, entries, err)
		}
	}

	// The store goes away: said within the deadlines, not after a quarter of an hour.
	store.stop()
	if got := run(wire.ActionBackup, wire.BackupParams{Repository: repo, Paths: []string{"/srv"}}); got.Failure == nil || got.Failure.Cause != wire.CauseStoreUnreachable {
		t.Errorf("store down: got %+v %+v", got.Outcome, got.Failure)
	}
	log := r.logs.String()
	for _, secret := range []string{string(password), prepared.StoreHash, "index.html", "restored"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
