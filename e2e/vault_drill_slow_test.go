//go:build slow

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ostler/e2e/world"
)

// TestSlowDrill walks docs/operating.md: a copy of the control plane, on addresses of
// its own and without a signer, opens, verifies, and has what was there.
func TestSlowDrill(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.JSON(nil, "customer", "add", "pear", "--name", "Pear", "--country", "DE")
	w.Plane.Stop()
	w.Signer.Stop()
	bin := filepath.Join(world.Binaries(t), "ostler")
	drill := t.TempDir()
	data := filepath.Join(drill, "ostler")
	if out, err := exec.Command("cp", "-a", filepath.Join(w.Dir, "plane"), data).CombinedOutput(); err != nil {
		t.Fatalf("copy: %v: %s", err, out)
	}

	portal, agents, enrol, metrics := world.FreeAddr(t), world.FreeAddr(t), world.FreeAddr(t), world.FreeAddr(t)
	config := filepath.Join(drill, "ostler.yaml")
	url := "http://localhost:" + portal[strings.LastIndex(portal, ":")+1:]
	if err := os.WriteFile(config, fmt.Appendf(nil, "data_dir: %q\nportal: {listen: %q, url: %q}\nagents: {listen: %q, enrol_listen: %q, names: [localhost]}\nmetrics: {listen: %q}\n",
		data, portal, url, agents, enrol, metrics), 0o600); err != nil {
		t.Fatal(err)
	}
	ostler := func(args ...string) (string, error) {
		cmd := exec.Command(bin, args...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + drill, "NO_COLOR=1", "OSTLER_URL=" + url}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := ostler("secrets", "status", "--config", config)
	if err != nil || !strings.HasSuffix(out, "Every data key opens.\n") {
		t.Fatalf("secrets status: got %q, %v", out, err)
	}
	out, err = ostler("staff", "add", "ada.keller@ostler.example", "--name", "Ada Keller", "--config", config)
	if err != nil {
		t.Fatalf("staff add: got %q, %v", out, err)
	}
	id := regexp.MustCompile(`stf_[a-z0-9]+`).FindString(out)
	token, err := ostler("staff", "token", id, "--config", config)
	if err != nil {
		t.Fatalf("staff token %s: got %q, %v", id, token, err)
	}
	file := filepath.Join(drill, "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	world.Start(t, "drill", bin, nil, "serve", "--config", config)
	world.Eventually(t, "the copy answers", time.Minute, func() bool {
		out, err = ostler("ledger", "verify", "--token-file", file)
		return err == nil
	})
	if out, err = ostler("customer", "list", "--token-file", file); err != nil || !strings.Contains(out, "Pear") {
		t.Errorf("customers of the copy: got %q, %v", out, err)
	}
}
