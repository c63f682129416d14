package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// tokenView is what the command line reads of one's own API token.
type tokenView struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Permissions []string `json:"permissions"`
	CreatedAt   string   `json:"created_at"`
	ExpiresAt   string   `json:"expires_at"`
	UsedAt      string   `json:"used_at"`
}

func (c *client) tokenCommand() *cobra.Command {
	lst := c.verb("list", "List your own API tokens", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return list(ctx, c, "/tokens", nil, paging{whole: true}, []string{"NAME", "MADE", "USED", "EXPIRES", "PERMISSIONS", "ID"}, func(v tokenView) []cell {
			return []cell{text(v.Name), text(when(v.CreatedAt)), text(when(v.UsedAt)), text(when(v.ExpiresAt)), number(count(int64(len(v.Permissions)))), text(v.ID)}
		}, "You have no API tokens.")
	})
	mk := c.verb("make", "Say how to make an API token", cobra.NoArgs, func(context.Context, []string) error {
		base, err := c.baseURL()
		if err != nil {
			return err
		}
		return controlplane.Errorf(controlplane.CodeForbidden, "Sign in at "+base.String()+", make it under your name (Tokens for programs), and keep it with: ostler token save",
			"A token makes no tokens: that takes a person with a second factor")
	})
	return noun("token", "API tokens", lst, mk, c.tokenSave(), c.tokenRevoke())
}

// tokenSave keeps a token in the configuration folder, once it has been tried.
func (c *client) tokenSave() *cobra.Command {
	return c.verb("save", "Keep a token, read from standard input, in the configuration folder", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		if c.inTerm {
			_, _ = fmt.Fprint(c.errw, "API token: ")
		}
		token, err := c.line()
		if err != nil {
			return err
		}
		if !strings.HasPrefix(token, "ost_") {
			return usagef("this is not an API token: they begin with ost_")
		}
		con, err := c.connect()
		if err != nil {
			return err
		}
		con.token = token
		if _, err := c.get(ctx, "/tokens", nil, nil); err != nil && controlplane.ErrorCode(err) != controlplane.CodeForbidden {
			return err // not good, or nobody to ask; one that may not list tokens is good
		}
		file, err := saveToken(token)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.out, safe(file))
		return err
	})
}

// saveToken writes the token so that nobody else can read it, at no time.
func saveToken(token string) (string, error) {
	dir, err := configDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("token save: %w", err)
	}
	f, err := os.CreateTemp(dir, "token-*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("token save: %w", err)
	}
	_, err = f.WriteString(token + "\n")
	file := filepath.Join(dir, "token")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("token save: %w", err), os.Remove(f.Name()))
	}
	return file, nil
}

func (c *client) tokenRevoke() *cobra.Command {
	var yes string
	cmd := c.verb("revoke TOKEN", "Revoke one of your API tokens, by id or name", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		all, _, err := pages[tokenView](ctx, c, "/tokens", nil, paging{whole: true})
		if err != nil {
			return err
		}
		var found []tokenView
		for _, t := range all {
			if t.ID == args[0] || t.Name == args[0] {
				found = append(found, t)
			}
		}
		switch {
		case len(found) == 0:
			return controlplane.Errorf(controlplane.CodeNotFound, "See ostler token list.", "You have no such token")
		case len(found) > 1:
			return usagef("you have %d tokens of that name: revoke it by its id (ostler token list)", len(found))
		}
		if err := c.confirm(yes, args[0], "What uses the token "+found[0].Name+" stops working."); err != nil {
			return err
		}
		if _, err := c.call(ctx, http.MethodDelete, "/tokens/"+id(found[0].ID), nil, nil, nil, nil); err != nil {
			return err
		}
		c.say("Revoked.")
		return nil
	})
	cmd.Flags().StringVar(&yes, "yes", "", "do not ask: the token's name or id, as given")
	return cmd
}
