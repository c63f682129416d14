package main

import (
	"encoding/json"
	"os"

	"github.com/spf13/cobra"
)

// seenFile is a file with notices as they were looked at.
type seenFile string

func (f *seenFile) flag(cmd *cobra.Command, made string) *cobra.Command {
	cmd.Flags().StringVar((*string)(f), "seen", "", "a file with the notices that you looked at: what others wrote goes only as it stands there ("+made+")")
	return cmd
}

// versions are those of the notices in the file, by id.
func (f seenFile) versions() (map[string]int64, error) {
	out := map[string]int64{}
	if f == "" {
		return out, nil
	}
	raw, err := os.ReadFile(string(f))
	if err != nil {
		return nil, usagef("--seen: %v", err)
	}
	var p page[incidentNoticeView]
	if err := json.Unmarshal(raw, &p); err != nil || len(p.Items) == 0 {
		return nil, usagef("--seen: %s holds no list of notices; make it with --output json", string(f))
	}
	for _, n := range p.Items {
		out[n.ID] = n.Version
	}
	return out, nil
}
