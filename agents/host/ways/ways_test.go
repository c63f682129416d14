package ways_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostler/agents/host/ways"
	"ostler/agents/wire"
)

// host is a tree of files; a target that begins with "->" is a link.
type host map[string]string

var base = host{
	"etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n" +
		"ada:x:1000:1000:Ada:/home/ada:/bin/bash\nben:x:1001:27:Ben:/home/ben:/bin/sh\nftp:x:1002:1002::/srv/ftp:/usr/sbin/nologin\n",
	"etc/shadow":          "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\nada:$y$j9T$abc:19000:0:99999:7:::\nben:!$y$j9T$abc:19000:0:99999:7::19500:\nftp::19000:0:99999:7:::\n",
	"etc/group":           "root:x:0:\nsudo:x:27:ada\ndocker:x:998:\nada:x:1000:\n",
	"etc/ssh/sshd_config": "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
	"etc/sudoers":         "root ALL=(ALL:ALL) ALL\n",
	"run/utmp":            "",
}

func (h host) with(more host) host {
	out := host{}
	for _, m := range []host{h, more} {
		for k, v := range m {
			if out[k] = v; v == "(gone)" {
				delete(out, k)
			}
		}
	}
	return out
}

func (h host) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range h {
		p := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		if target, link := strings.CutPrefix(text, "->"); link && err == nil {
			err = os.Symlink(target, p)
		} else if err == nil {
			err = os.WriteFile(p, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func now() time.Time { return time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC) }

func scan(t *testing.T, h host) wire.AccessScan {
	t.Helper()
	got, err := ways.Scan(t.Context(), ways.Options{Root: h.write(t), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// key is a line of an authorized_keys file, and its fingerprint.
func key(kind, seed string) (line, fingerprint string) {
	blob := binary.BigEndian.AppendUint32(nil, uint32(len(kind)))
	blob = append(append(blob, kind...), seed...)
	sum := sha256.Sum256(blob)
	return kind + " " + base64.StdEncoding.EncodeToString(blob), "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

func TestAccounts(t *testing.T) {
	got := scan(t, base)
	want := []wire.HostAccount{{Name: "root", UID: 0, Home: "/root"}, {Name: "ada", UID: 1000, Password: true, Home: "/home/ada"}, {Name: "ben", UID: 1001, Locked: true, Home: "/home/ben"}}
	if !reflect.DeepEqual(got.Accounts, want) {
		t.Errorf("accounts: got %+v, want %+v", got.Accounts, want)
	}
	if len(got.Unread) != 0 || got.Passwords || got.RootLogin != "prohibit-password" || len(got.Simulated) == 0 {
		t.Errorf("got %+v", got)
	}
}

func TestUnread(t *testing.T) {
	big := strings.Repeat("#", 600<<10)
	edLine, _ := key("ssh-ed25519", "one")
	for _, tt := range []struct {
		name string
		h    host
		want string
	}{
		{"no accounts", host{"etc/passwd": "(gone)"}, "/etc/passwd"},
		{"no shadow", host{"etc/shadow": "(gone)"}, "/etc/shadow"},
		{"a directory's accounts", host{"etc/nsswitch.conf": "passwd: files sss [NOTFOUND=return]\ngroup: files systemd # ldap\n"}, "/etc/nsswitch.conf: passwd from sss"},
		{"old netgroups", host{"etc/passwd": base["etc/passwd"] + "+@ops::::::\n"}, "/etc/passwd: accounts of a directory"},
		{"a key file that is too large", host{"home/ada/.ssh/authorized_keys": big}, "/home/ada/.ssh/authorized_keys"},
		{"a loop of links", host{"home/ada/.ssh/authorized_keys": "->authorized_keys"}, "/home/ada/.ssh/authorized_keys"},
		{"a token that we do not know", host{"etc/ssh/sshd_config": "AuthorizedKeysFile /etc/keys/%C\n"}, "AuthorizedKeysFile /etc/keys/%C"},
		{"a line that is no key", host{"home/ada/.ssh/authorized_keys": "# mine\n\nED25519 " + strings.Fields(edLine)[1] + "\n"}, "/home/ada/.ssh/authorized_keys: a line that is neither a key nor a comment"},
		{"an authority's line that is no key", host{"etc/ssh/sshd_config": "TrustedUserCAKeys /etc/ssh/ca.pub\n", "etc/ssh/ca.pub": "ssh-ed25519 AAAA\n"}, "/etc/ssh/ca.pub: a line that is neither a key nor a comment"},
		{"an open quote", host{"etc/ssh/sshd_config": "AuthorizedKeysFile \"a b\nPort 22\n"}, "/etc/ssh/sshd_config"},
		{"sshd without a configuration", host{"etc/ssh/sshd_config": "(gone)", "usr/sbin/sshd": "elf"}, "/etc/ssh/sshd_config"},
		{"an authority that is not there", host{"etc/ssh/sshd_config": "TrustedUserCAKeys /etc/ssh/ca.pub\n"}, "/etc/ssh/ca.pub"},
		{"a sudoers file that is a folder", host{"etc/sudoers": "(gone)", "etc/sudoers/x": ""}, "/etc/sudoers"},
		{"a rule that is none", host{"etc/sudoers": "what is this\n"}, "/etc/sudoers"},
		{"a netgroup", host{"etc/sudoers": "+ops ALL=(ALL) ALL\n"}, "/etc/sudoers: members of +ops"},
		{"a group of a directory", host{"etc/sudoers": "%wheel ALL=(ALL) ALL\n"}, "/etc/sudoers: members of %wheel"},
		{"doas", host{"etc/doas.conf": "permit :wheel\n"}, "/etc/doas.conf"},
		{"files that include each other", host{"etc/sudoers": "@include sudoers.a\n", "etc/sudoers.a": "@include sudoers\n"}, "/etc/sudoers.a: included too deep"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := scan(t, base.with(tt.h)).Unread; !slices.Contains(got, tt.want) {
				t.Errorf("got %q, want %q among them", got, tt.want)
			}
		})
	}
}

func TestKeyFileIsAPipe(t *testing.T) {
	root := base.with(host{"home/ada/.ssh/other": ""}).write(t)
	pipe := filepath.Join(root, "home/ada/.ssh/authorized_keys")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ways.Scan(t.Context(), ways.Options{Root: root, Now: now}) // must not wait for a writer
	if err != nil || !slices.Contains(got.Unread, "/home/ada/.ssh/authorized_keys") {
		t.Errorf("got %q, %v", got.Unread, err)
	}
}

func TestKeys(t *testing.T) {
	ed, edPrint := key("ssh-ed25519", "one")
	rsa, rsaPrint := key("ssh-rsa", "two")
	ca, caPrint := key("ecdsa-sha2-nistp256", "three")
	file := "# a comment\n" + ed + " ada@laptop\n" +
		`from="192.0.2.0/24,!192.0.2.9",command="echo \"a, b\"",no-pty ` + rsa + "\n" +
		`cert-authority,principals="ada",expiry-time="20261224Z" ` + ca + " our CA\n" +
		"ssh-ed25519 AAAA broken\nssh-dss " + strings.Fields(ed)[1] + " a type that is not the key's\n \n"
	got := scan(t, base.with(host{"home/ada/.ssh/authorized_keys": file, "srv/ftp/.ssh/authorized_keys2": ed + "\n"})).Keys
	want := []wire.HostKey{
		{Account: "ada", Fingerprint: edPrint, Type: "ssh-ed25519", Comment: "ada@laptop", File: "/home/ada/.ssh/authorized_keys"},
		{Account: "ada", Fingerprint: rsaPrint, Type: "ssh-rsa", Options: []string{"from", "command", "no-pty"}, File: "/home/ada/.ssh/authorized_keys"},
		{Account: "ada", Fingerprint: caPrint, Type: "ecdsa-sha2-nistp256", Comment: "our CA", Options: []string{"principals", "expiry-time"}, Authority: true,
			ExpiresAt: time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC).UnixMilli(), File: "/home/ada/.ssh/authorized_keys"},
		{Account: "ftp", Fingerprint: edPrint, Type: "ssh-ed25519", File: "/srv/ftp/.ssh/authorized_keys2"}, // no shell, and still a way in for forwarding
	}
	for i := range got {
		if (got[i].OptionsHash != "") != (len(got[i].Options) > 0) {
			t.Errorf("hash of options: got %+v", got[i])
		}
		got[i].OptionsHash = ""
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestKeysAsSSHDReadsThem has lines that sshd takes and that look like none.
func TestKeysAsSSHDReadsThem(t *testing.T) {
	rsa, rsaPrint := key("ssh-rsa", "two")
	blob := strings.Fields(rsa)[1]
	for name, line := range map[string]string{
		"a NUL after the key":       rsa + "\x00= comment",
		"a NUL after a comment":     rsa + " me\x00me",
		"the name of a signature":   "rsa-sha2-256 " + blob,
		"and another, with options": "no-pty \trsa-sha2-512\t" + blob + " me",
	} {
		t.Run(name, func(t *testing.T) {
			got := scan(t, base.with(host{"home/ada/.ssh/authorized_keys": "#\n\n \t\n\x00 nothing\n" + line + "\n"}))
			if len(got.Keys) != 1 || got.Keys[0].Fingerprint != rsaPrint || got.Keys[0].Type != "ssh-rsa" || len(got.Unread) != 0 {
				t.Errorf("got %+v, unread %q", got.Keys, got.Unread)
			}
		})
	}
}

// TestHashes: what is not shown of a right still tells it from another.
func TestHashes(t *testing.T) {
	ed, _ := key("ssh-ed25519", "one")
	long := "/usr/bin/" + strings.Repeat("a", 180) + ", "
	for _, tt := range []struct{ name, file, one, other string }{
		{"options", "home/ada/.ssh/authorized_keys", `from="192.0.2.1" ` + ed, `from="0.0.0.0/0" ` + ed},
		{"commands", "etc/sudoers", "ada ALL=(ALL) " + long + "/usr/bin/b", "ada ALL=(ALL) " + long + "/bin/sh"},
		{"who it runs as", "etc/sudoers", "ada ALL=(" + strings.Repeat("www,", 30) + "ftp" + strings.Repeat("x", 90) + "a) /bin/a", "ada ALL=(" + strings.Repeat("www,", 30) + "ftp" + strings.Repeat("x", 90) + "b) /bin/a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hash := func(text string) string {
				got := scan(t, base.with(host{"etc/sudoers": "", tt.file: text + "\n"}))
				if len(got.Keys) == 1 {
					return got.Keys[0].OptionsHash
				}
				return got.Sudo[0].RunsHash
			}
			if a, b, again := hash(tt.one), hash(tt.other), hash(tt.one); a == "" || a == b || a != again {
				t.Errorf("got %q, %q, then %q", a, b, again)
			}
		})
	}
}

// TestKeysStayInside has users point their key files out of the root and at
// files of others: nothing but keys is ever shown.
func TestKeysStayInside(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	ed, _ := key("ssh-ed25519", "outside")
	if err := os.WriteFile(outside, []byte(ed+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	up := strings.Repeat("../", 30)
	for name, target := range map[string]string{"absolute": outside, "upwards": up + strings.TrimPrefix(outside, "/"), "shadow": "/etc/shadow"} {
		t.Run(name, func(t *testing.T) {
			got := scan(t, base.with(host{"home/ada/.ssh/authorized_keys": "->" + target}))
			if len(got.Keys) != 0 {
				t.Errorf("got %+v", got.Keys)
			}
		})
	}
	t.Run("a link inside is followed, as sshd does", func(t *testing.T) {
		got := scan(t, base.with(host{"home/ada/.ssh/authorized_keys": "->/etc/keys/ada", "etc/keys/ada": ed + "\n"}))
		if len(got.Keys) != 1 || got.Keys[0].File != "/home/ada/.ssh/authorized_keys" {
			t.Errorf("got %+v", got.Keys)
		}
	})
}

func TestSSHD(t *testing.T) {
	ca, caPrint := key("ssh-ed25519", "ca")
	for _, tt := range []struct {
		name      string
		h         host
		passwords bool
		root      string
		files     []string
		command   bool
		cas       int
	}{
		{"what is not said is sshd's own", host{"etc/ssh/sshd_config": ""}, true, "prohibit-password", []string{".ssh/authorized_keys", ".ssh/authorized_keys2"}, false, 0},
		{"the first one counts", host{"etc/ssh/sshd_config": "PasswordAuthentication=no\nPasswordAuthentication yes\nPermitRootLogin no\npermitrootlogin yes\n"}, false, "no",
			[]string{".ssh/authorized_keys", ".ssh/authorized_keys2"}, false, 0},
		{"keyboard-interactive with PAM is a password", host{"etc/ssh/sshd_config": "PasswordAuthentication no\nUsePAM yes\n"}, true, "prohibit-password",
			[]string{".ssh/authorized_keys", ".ssh/authorized_keys2"}, false, 0},
		{"a file that is included counts where it stands", host{"etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin yes\nPasswordAuthentication no\n",
			"etc/ssh/sshd_config.d/10-a.conf": "PermitRootLogin no\nAuthorizedKeysFile \"/etc/keys/%u\" # ours\n", "etc/ssh/sshd_config.d/20.off": "PasswordAuthentication yes\n"}, false, "no",
			[]string{"/etc/keys/%u"}, false, 0},
		{"what any Match allows is allowed", host{"etc/ssh/sshd_config": "PasswordAuthentication no\nPermitRootLogin no\nMatch Address 10.0.0.0/8\n PasswordAuthentication yes\n PermitRootLogin without-password\n" +
			" AuthorizedKeysFile /etc/more/%u\nMatch User git\n AuthorizedKeysCommand /usr/bin/keys %u\n TrustedUserCAKeys /etc/ssh/ca.pub\n", "etc/ssh/ca.pub": ca + "\n"}, true, "prohibit-password",
			[]string{".ssh/authorized_keys", ".ssh/authorized_keys2", "/etc/more/%u"}, true, 1},
		{"a Match ends with its file", host{"etc/ssh/sshd_config": "Include a.conf\nPasswordAuthentication no\n", "etc/ssh/a.conf": "Match User x\nX11Forwarding no\n"}, false, "prohibit-password",
			[]string{".ssh/authorized_keys", ".ssh/authorized_keys2"}, false, 0},
		{"no keys at all", host{"etc/ssh/sshd_config": "PubkeyAuthentication no\nPasswordAuthentication no\nTrustedUserCAKeys /etc/ssh/ca.pub\n"}, false, "prohibit-password", []string{}, false, 0},
		{"none", host{"etc/ssh/sshd_config": "AuthorizedKeysFile none\nAuthorizedKeysCommand none\nPasswordAuthentication no\n"}, false, "prohibit-password", []string{}, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := scan(t, base.with(tt.h))
			if got.Passwords != tt.passwords || got.RootLogin != tt.root || !reflect.DeepEqual(got.KeyFiles, tt.files) || got.KeysCommand != tt.command || len(got.CAs) != tt.cas || len(got.Unread) != 0 {
				t.Errorf("got %+v", got)
			}
			if len(got.CAs) > 0 && got.CAs[0].Fingerprint != caPrint {
				t.Errorf("authority: got %+v", got.CAs)
			}
		})
	}
}

func TestSudo(t *testing.T) {
	for _, tt := range []struct {
		name string
		h    host
		want []wire.HostSudo
	}{
		{"a group, and whose first group it is", host{"etc/sudoers": "Defaults env_reset\n%sudo\tALL=(ALL:ALL) ALL\n"},
			[]wire.HostSudo{{Who: "%sudo", Runs: "ALL", As: "ALL", Members: []string{"ada", "ben"}, File: "/etc/sudoers"}}},
		{"aliases, tags and lines that go on", host{"etc/sudoers": "User_Alias OPS = ada, \\\n  ben : WEB = ftp\nCmnd_Alias SVC = /bin/systemctl restart nginx, /usr/bin/journalctl\nRunas_Alias DB = postgres\n" +
			"OPS , WEB ALL = NOPASSWD: SETENV: SVC, (DB) /usr/bin/psql\n"},
			[]wire.HostSudo{
				{Who: "ada", Runs: "/bin/systemctl restart nginx, /usr/bin/journalctl", As: "root", NoPassword: true, File: "/etc/sudoers"},
				{Who: "ben", Runs: "/bin/systemctl restart nginx, /usr/bin/journalctl", As: "root", NoPassword: true, File: "/etc/sudoers"},
				{Who: "ftp", Runs: "/bin/systemctl restart nginx, /usr/bin/journalctl", As: "root", NoPassword: true, File: "/etc/sudoers"},
				{Who: "ada", Runs: "/usr/bin/psql", As: "postgres", NoPassword: true, File: "/etc/sudoers"},
				{Who: "ben", Runs: "/usr/bin/psql", As: "postgres", NoPassword: true, File: "/etc/sudoers"},
				{Who: "ftp", Runs: "/usr/bin/psql", As: "postgres", NoPassword: true, File: "/etc/sudoers"},
			}},
		{"files of a folder", host{"etc/sudoers": "#includedir /etc/sudoers.d\n# a comment\n", "etc/sudoers.d/ada": "ada ALL=(ALL) NOPASSWD:ALL # why\n", "etc/sudoers.d/old.bak": "ben ALL=ALL\n", "etc/sudoers.d/x~": "ben ALL=ALL\n"},
			[]wire.HostSudo{{Who: "ada", Runs: "ALL", As: "ALL", NoPassword: true, File: "/etc/sudoers.d/ada"}}},
		{"what is forbidden takes nothing away", host{"etc/sudoers": "ada ALL=(ALL) ALL, !/bin/sh\n!ben, ben ALL=(root) !ALL\n"},
			[]wire.HostSudo{{Who: "ada", Runs: "ALL", As: "ALL", File: "/etc/sudoers"}}},
		{"several hosts, numbers and a comma between who it runs as", host{"etc/sudoers": "#1000 web1=(www,ftp:adm) /bin/a\\:b : web2 = ALL\n%#27 ALL=ALL\n"},
			[]wire.HostSudo{
				{Who: "#1000", Runs: `/bin/a\:b`, As: "www, ftp", File: "/etc/sudoers"}, {Who: "#1000", Runs: "ALL", As: "root", File: "/etc/sudoers"},
				{Who: "%#27", Runs: "ALL", As: "root", Members: []string{"ada", "ben"}, File: "/etc/sudoers"}}},
		{"docker is root", host{"etc/sudoers": "", "etc/group": "docker:x:998:ben\nsudo:x:27:\n"},
			[]wire.HostSudo{{Who: "%docker", Runs: "ALL", As: "root", NoPassword: true, Members: []string{"ben"}, File: "/etc/group"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := scan(t, base.with(tt.h))
			if !reflect.DeepEqual(got.Sudo, tt.want) || len(got.Unread) != 0 {
				t.Errorf("got  %+v (unread %q)\nwant %+v", got.Sudo, got.Unread, tt.want)
			}
		})
	}
}

// utmp is one record.
func utmp(kind uint16, pid int32, line, user, from string, sec int32) string {
	var b [384]byte
	binary.LittleEndian.PutUint16(b[:], kind)
	binary.LittleEndian.PutUint32(b[4:], uint32(pid))
	copy(b[8:40], line)
	copy(b[44:76], user)
	copy(b[76:332], from)
	binary.LittleEndian.PutUint32(b[340:], uint32(sec))
	return string(b[:])
}

func TestLogins(t *testing.T) {
	h := base.with(host{"run/utmp": utmp(2, 0, "~", "reboot", "", 1) + utmp(7, 42, "pts/0", "ada", "192.0.2.7", 1795000000) + utmp(8, 43, "pts/1", "", "", 2) + "half a record"})
	want := []wire.HostLogin{{Account: "ada", Line: "pts/0", From: "192.0.2.7", Since: 1795000000000, PID: 42}}
	if got := scan(t, h).Logins; !reflect.DeepEqual(got, want) {
		t.Errorf("utmp: got %+v, want %+v", got, want)
	}
	h = base.with(host{"run/utmp": "(gone)", "run/systemd/sessions/7": "# private\nUID=1000\nUSER=ada\nTTY=pts/3\nREMOTE_HOST=192.0.2.8\nLEADER=77\nCLASS=user\nREALTIME=1795000000000000\n",
		"run/systemd/sessions/8": "UID=0\nUSER=root\nCLASS=manager\n"})
	want = []wire.HostLogin{{Account: "ada", Line: "pts/3", From: "192.0.2.8", Since: 1795000000000, PID: 77}}
	if got := scan(t, h); !reflect.DeepEqual(got.Logins, want) || len(got.Unread) != 0 {
		t.Errorf("logind: got %+v, unread %q, want %+v", got.Logins, got.Unread, want)
	}
}

func TestNoUtmp(t *testing.T) {
	root := base.with(host{"run/utmp": "(gone)"}).write(t)
	for proc, want := range map[string]bool{"": false, t.TempDir(): true} {
		got, err := ways.Scan(t.Context(), ways.Options{Root: root, Proc: proc, Now: now})
		if err != nil || slices.Contains(got.Unread, "/run/utmp") != want {
			t.Errorf("with processes %v: got unread %q, %v", want, got.Unread, err)
		}
	}
}

func FuzzFiles(f *testing.F) {
	ed, _ := key("ssh-ed25519", "one")
	f.Add([]byte(base["etc/passwd"]), []byte(base["etc/sudoers"]), []byte("Match all\nInclude *\n"), []byte(`a="b\",c" `+ed))
	f.Add([]byte("a:b:c"), []byte("User_Alias A=A\nA A=(A:A,A) A : A=A"), []byte("a=\"b"), bytes.Repeat([]byte("\\"), 50))
	f.Fuzz(func(t *testing.T, passwd, sudoers, sshd, keys []byte) {
		scan(t, base.with(host{"etc/passwd": string(passwd) + "\nada:x:1000:1000:Ada:/home/ada:/bin/bash\n", "etc/sudoers": string(sudoers), "etc/ssh/sshd_config": string(sshd), "home/ada/.ssh/authorized_keys": string(keys)}))
	})
}
