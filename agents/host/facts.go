package host

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Facts identify this host to the plane.
type Facts struct {
	MachineID, BootID, Hostname string
	// Simulated names the facts that come from fixtures and not from this machine.
	Simulated []string
}

// FactFiles says where facts are read.
type FactFiles struct {
	Root          string // "/" in production
	State         string // the state folder, which keeps an id for a machine without one
	BootIDFile    string // "" means the kernel's
	MachineIDFile string // "" means etc/machine-id beneath Root, or else the machine's
	Hostname      string // "" means etc/hostname beneath Root, or else the machine's
}

const kernelBootID = "/proc/sys/kernel/random/boot_id"

// ReadFacts reads them. A fact that cannot be read is "".
func ReadFacts(f FactFiles) Facts {
	var facts Facts
	fixture := func(name string) { facts.Simulated = append(facts.Simulated, name) }
	if f.BootIDFile != "" {
		facts.BootID = firstLine(os.ReadFile(f.BootIDFile))
		fixture("boot_id")
	} else {
		facts.BootID = firstLine(os.ReadFile(kernelBootID))
	}
	switch {
	case f.MachineIDFile != "":
		facts.MachineID = firstLine(os.ReadFile(f.MachineIDFile))
		fixture("machine_id")
	default:
		if facts.MachineID = firstLine(readIn(f.Root, "etc/machine-id")); facts.MachineID != "" && !isRoot(f.Root) {
			fixture("machine_id")
		} else if facts.MachineID == "" {
			facts.MachineID = firstLine(os.ReadFile("/etc/machine-id"))
		}
		if facts.MachineID == "" && f.State != "" {
			facts.MachineID = madeMachineID(filepath.Join(f.State, "machine-id"))
			fixture("machine_id")
		}
	}
	if f.Hostname != "" {
		facts.Hostname = f.Hostname
		fixture("hostname")
	} else if isRoot(f.Root) {
		facts.Hostname, _ = os.Hostname()
	} else if facts.Hostname = firstLine(readIn(f.Root, "etc/hostname")); facts.Hostname != "" {
		fixture("hostname")
	} else {
		facts.Hostname, _ = os.Hostname()
	}
	return facts
}

// madeMachineID returns the id in a file, made at the first call: containers
// often have none of their own.
func madeMachineID(path string) string {
	if id := firstLine(os.ReadFile(path)); id != "" {
		return id
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // crypto/rand.Read never returns an error
	id := hex.EncodeToString(random[:])
	if err := writeFile(path, []byte(id+"\n")); err != nil {
		return ""
	}
	return id
}

func isRoot(root string) bool { return filepath.Clean(root) == "/" }

// readIn reads a file beneath root; links that lead out of it are not followed.
func readIn(root, name string) ([]byte, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.ReadFile(name)
}

func firstLine(b []byte, err error) string {
	if err != nil {
		return ""
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return strings.TrimSpace(string(line))
}

// diskSpace returns the size of the file system at path, and what an
// unprivileged user could still write there, in bytes.
func diskSpace(path string) (size, free int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, 0, err
	}
	return int64(st.Blocks) * st.Bsize, int64(st.Bavail) * st.Bsize, nil
}

// load1 is the host's load average over one minute.
func load1() float64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 0
	}
	return float64(info.Loads[0]) / 65536
}
