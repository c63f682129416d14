package vaulttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"ostler/controlplane/secrets/vault"
)

// Server is a Vault that is set up with its root token: the fake or a real core.
type Server struct {
	Addr, RootToken string
	UnsealKey       string // hex; "" for the fake, which takes any
}

// Server returns how to reach the fake as an operator.
func (f *Fake) Server() Server { return Server{Addr: f.Addr(), RootToken: f.root} }

// Call asks the server for something as root, as an operator would. out may be nil.
func (s Server) Call(ctx context.Context, method, path string, in any, out any, header ...string) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("vaulttest: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Addr+"/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("vaulttest: %w", err)
	}
	req.Header.Set("X-Vault-Token", s.RootToken)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("vaulttest: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("vaulttest: %w", err)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("vaulttest: %s %s: status %d: %s", method, path, resp.StatusCode, raw)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

// Engines enables transit, KV version 2 and AppRole at their usual mounts.
func (s Server) Engines(ctx context.Context) error {
	for _, e := range []struct {
		path string
		in   any
	}{
		{"sys/mounts/transit", map[string]any{"type": "transit"}},
		{"sys/mounts/secret", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}}},
		{"sys/auth/approle", map[string]any{"type": "approle"}},
	} {
		if err := s.Call(ctx, http.MethodPost, e.path, e.in, nil); err != nil {
			return err
		}
	}
	return nil
}

// Role is how a role of ours signs in.
type Role struct {
	TTL, Max string // of its tokens: "20m"; "": Vault's own
	Policy   string // "": what Options.Policy says for the part
	Plain    bool   // the secret id as it is, and not wrapped
}

// Enter makes a policy and a role for a part of ours, and returns options that
// sign in as it, with its files in dir.
func (s Server) Enter(ctx context.Context, dir string, part vault.Part, r Role) (vault.Options, error) {
	o := vault.Options{Addr: s.Addr, SecretIDFile: filepath.Join(dir, "secret-id-"+string(part)), KeptFile: filepath.Join(dir, "kept-"+string(part))}
	name := "ostler-" + string(part)
	if r.Policy == "" {
		r.Policy = o.Policy(part)
	}
	if err := s.Call(ctx, http.MethodPost, "sys/policies/acl/"+name, map[string]any{"policy": r.Policy}, nil); err != nil {
		return o, err
	}
	in := map[string]any{"token_policies": []string{name}}
	if r.TTL != "" {
		in["token_ttl"] = r.TTL
	}
	if r.Max != "" {
		in["token_max_ttl"] = r.Max
	}
	if err := s.Call(ctx, http.MethodPost, "auth/approle/role/"+name, in, nil); err != nil {
		return o, err
	}
	var got struct {
		Data struct {
			RoleID string `json:"role_id"`
		} `json:"data"`
	}
	if err := s.Call(ctx, http.MethodGet, "auth/approle/role/"+name+"/role-id", nil, &got); err != nil {
		return o, err
	}
	o.RoleID = got.Data.RoleID
	id, err := s.SecretID(ctx, part, !r.Plain)
	if err != nil {
		return o, err
	}
	return o, os.WriteFile(o.SecretIDFile, []byte(id+"\n"), 0o600)
}

// SecretID makes a secret id of a part's role: a wrapping token around it, or
// the id itself.
func (s Server) SecretID(ctx context.Context, part vault.Part, wrapped bool) (string, error) {
	var got struct {
		Data struct {
			SecretID string `json:"secret_id"`
		} `json:"data"`
		Wrap struct {
			Token string `json:"token"`
		} `json:"wrap_info"`
	}
	var header []string
	if wrapped {
		header = []string{"X-Vault-Wrap-TTL", "10m"}
	}
	if err := s.Call(ctx, http.MethodPost, "auth/approle/role/ostler-"+string(part)+"/secret-id", map[string]any{}, &got, header...); err != nil {
		return "", err
	}
	if wrapped {
		return got.Wrap.Token, nil
	}
	return got.Data.SecretID, nil
}

// RevokeTokens ends all tokens that roles have got.
func (s Server) RevokeTokens(ctx context.Context) error {
	return s.Call(ctx, http.MethodPost, "sys/leases/revoke-prefix/auth/approle", nil, nil)
}

// EndSecretID has a secret id sign in no more.
func (s Server) EndSecretID(ctx context.Context, part vault.Part, id string) error {
	return s.Call(ctx, http.MethodPost, "auth/approle/role/ostler-"+string(part)+"/secret-id/destroy", map[string]any{"secret_id": id}, nil)
}

// SetPolicy exchanges the policy of a part.
func (s Server) SetPolicy(ctx context.Context, part vault.Part, policy string) error {
	return s.Call(ctx, http.MethodPost, "sys/policies/acl/ostler-"+string(part), map[string]any{"policy": policy}, nil)
}

// Token makes a token with a part's policy, for what a person does.
func (s Server) Token(ctx context.Context, part vault.Part) (string, error) {
	name := "ostler-" + string(part)
	if err := s.SetPolicy(ctx, part, vault.Options{}.Policy(part)); err != nil {
		return "", err
	}
	var got struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	err := s.Call(ctx, http.MethodPost, "auth/token/create", map[string]any{"policies": []string{name}}, &got)
	return got.Auth.Token, err
}

// Seal seals the server, or opens it again.
func (s Server) Seal(ctx context.Context, sealed bool) error {
	if sealed {
		return s.Call(ctx, http.MethodPut, "sys/seal", nil, nil)
	}
	return s.Call(ctx, http.MethodPut, "sys/unseal", map[string]any{"key": s.UnsealKey}, nil)
}

// ReadCore reads the file that tools/vault writes when its core is ready.
// fs.ErrNotExist where it is not.
func ReadCore(path string) (s Server, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	var got struct {
		Addr      string `json:"addr"`
		RootToken string `json:"root_token"`
		UnsealKey string `json:"unseal_key"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return s, fmt.Errorf("vaulttest: %w", err)
	}
	return Server{Addr: got.Addr, RootToken: got.RootToken, UnsealKey: got.UnsealKey}, nil
}
