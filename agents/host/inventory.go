package host

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"ostler/agents/wire"
)

// inventory says what this server is. What cannot be read is empty or -1, never
// a guess.
func (a *Agent) inventory(ctx context.Context) wire.Inventory {
	inv := wire.Inventory{Kernel: kernel(), Arch: runtime.GOARCH, BootID: a.facts.BootID, Hostname: a.facts.Hostname,
		CPUs: runtime.NumCPU(), Packages: -1, Simulated: slices.Clone(a.facts.Simulated)}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		inv.MemoryBytes = int64(info.Totalram) * int64(info.Unit)
	}
	if b, err := readIn(a.o.Root, "etc/os-release"); err == nil {
		v := parseOSRelease(b)
		inv.OS, inv.OSID, inv.OSVersion = v["PRETTY_NAME"], v["ID"], v["VERSION_ID"]
	}
	if b, err := readIn(a.o.Root, "var/lib/dpkg/status"); err == nil {
		inv.Packages, inv.PackagesHash = parseDpkg(b)
	}
	if !isRoot(a.o.Root) {
		inv.Simulated = append(inv.Simulated, "os", "packages")
	}
	inv.Disks = disks(a.o.Root)
	version, warning, err := a.o.Helper.Version(ctx)
	if err != nil || warning != "" {
		a.log.Warn("restic.version", "version", version, "warning", warning, "err", err)
	}
	inv.ResticVersion = version
	return inv
}

func kernel() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return ""
	}
	var b []byte
	for _, c := range u.Release {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}

// parseOSRelease reads NAME=value lines; values may be quoted (os-release(5)).
func parseOSRelease(b []byte) map[string]string {
	v := map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		v[name] = value
	}
	return v
}

// parseDpkg counts the installed packages of a dpkg status file, and hashes
// their sorted name=version lines.
func parseDpkg(b []byte) (n int, hash string) {
	var lines []string
	var name, version string
	installed := false
	flush := func() {
		if installed && name != "" {
			lines = append(lines, name+"="+version+"\n")
		}
		name, version, installed = "", "", false
	}
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		key, value, ok := strings.Cut(s.Text(), ": ")
		switch {
		case s.Text() == "":
			flush()
		case !ok:
		case key == "Package":
			name = value
		case key == "Version":
			version = value
		case key == "Status":
			f := strings.Fields(value)
			installed = len(f) == 3 && f[2] == "installed"
		}
	}
	flush()
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return len(lines), hex.EncodeToString(sum[:])
}

// disks are the mounted file systems that are disks; beneath another root only
// the one that the root stands on.
func disks(root string) []wire.Disk {
	mounts := []string{root}
	if isRoot(root) {
		if b, err := os.ReadFile("/proc/self/mounts"); err == nil {
			mounts = diskMounts(b)
		}
	}
	var out []wire.Disk
	for _, m := range mounts {
		size, free, err := diskSpace(m)
		if err != nil || size == 0 {
			continue
		}
		shown := m
		if m == root {
			shown = "/"
		}
		out = append(out, wire.Disk{Mount: filepath.Clean(shown), SizeBytes: size, FreeBytes: free})
	}
	return out
}

// diskMounts returns the mount points of block devices, each device once.
func diskMounts(b []byte) []string {
	var out []string
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 || !strings.HasPrefix(f[0], "/dev/") || strings.HasPrefix(f[0], "/dev/loop") || seen[f[0]] {
			continue
		}
		seen[f[0]] = true
		out = append(out, unescapeMount(f[1]))
	}
	return out
}

// unescapeMount undoes the kernel's \040 for blanks in mount points.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
